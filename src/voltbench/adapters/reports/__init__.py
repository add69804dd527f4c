"""What people get to see of an outcome: a summary in the terminal, JSON, tables, pictures and a page."""
