"""The HTTP side of the sandbox: requests, the contract's checks, limits, faults and event streams."""
