"""The clients and their views: settings, options, requests, waits, and the shared clients of a process."""
