"""What we claim to be fast at, each beside its peer in the same run."""
