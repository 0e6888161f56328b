"""What carries a call, however often: attempts, circuit, deadline, connections."""
