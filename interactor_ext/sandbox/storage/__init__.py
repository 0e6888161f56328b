"""What the sandbox keeps: records, journals, and the data file."""
