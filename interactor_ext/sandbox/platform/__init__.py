"""The simulated platform: the contract, its handlers by subject, streams, faults, limits, seeds, and the state of all."""
