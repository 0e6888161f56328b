"""What the platform does: tokens, credentials, assistants, conversations, workflows and webhook subscriptions."""
