"""The CSMS on real sockets: its door for stations, its store, its wire log, its files, its keys."""
