"""The HTTP side of the sandbox: requests, validation, rate limits, faults and event streams."""
