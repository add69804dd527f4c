"""OCPP 1.6 with its security whitepaper."""
