"""The simulated platform: tokens, credentials, assistants, conversations, workflows and webhook subscriptions."""
