"""What a person starts: the command line, live sites, simulations."""
