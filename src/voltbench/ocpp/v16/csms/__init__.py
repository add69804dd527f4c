"""The CSMS of OCPP 1.6, without a network: what each station says, what is kept of it, what is answered and asked."""
