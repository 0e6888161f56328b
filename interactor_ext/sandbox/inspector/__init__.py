"""The page at `/_sandbox` and what it shows."""
