"""OCPP without a network: what is said on the wire, and how calls are answered."""
