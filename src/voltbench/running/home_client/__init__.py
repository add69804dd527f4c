"""A client of a home station that charges when it is cheap: what it sees, what it wants, what came of it."""
