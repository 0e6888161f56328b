"""TODO webhooks/stores."""
