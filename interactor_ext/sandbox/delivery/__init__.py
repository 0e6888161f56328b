"""Webhook deliveries of the sandbox: what is sent, when, how often, and what came of it."""
