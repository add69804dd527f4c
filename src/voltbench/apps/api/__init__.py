"""The HTTP API: one file per resource, `contracts/` for the routes that are not of our making."""
