"""TODO sandbox/http."""
