"""What happens between a charging station and a vehicle."""
