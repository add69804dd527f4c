"""A home with a car: the course's own, tick by tick, and a house whose every part can be chosen."""
