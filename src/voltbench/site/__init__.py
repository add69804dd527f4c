"""The power side of a place: limits, stationary storage, loads, generation, meters and tariffs."""
