"""TODO sandbox/storage."""
