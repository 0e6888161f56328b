"""The sandbox's storage: records, journals, and the data file."""
