"""The simulated platform: contract, handlers, streams, faults, limits and seeds, and the state of all."""
