"""State of the sandbox: records, journals, seeds, and the data file."""
