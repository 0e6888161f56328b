"""What the sandbox keeps: records, state, journals, seeds, and the data file."""
