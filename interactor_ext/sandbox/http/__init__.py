"""The HTTP side of the sandbox: the server, requests and responses, and control endpoints."""
