"""Stations on real sockets: their lines to a CSMS, their memory, their keys, the files they fetch and deliver."""
