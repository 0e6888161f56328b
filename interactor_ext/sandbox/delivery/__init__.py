"""Webhook deliveries of the sandbox: queues, retries, sending and the record of attempts."""
