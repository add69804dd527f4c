"""Living through it: a site in operation, its visitors, scenarios and hosted sites, and what came of it."""
