"""TODO webhooks/queue."""
