"""TODO sandbox/inspector."""
