"""The battery: what a charger sees of it, from electrode to pack."""
