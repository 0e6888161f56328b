"""TODO sandbox/platform."""
