"""A charging station of OCPP 1.6, part by part: `station.Station` is the whole."""
