"""TODO sandbox/delivery."""
