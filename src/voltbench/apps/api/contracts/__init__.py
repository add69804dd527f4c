"""The routes of others: what the assignment's contract and the seed's own program promise, in their words and kW."""
