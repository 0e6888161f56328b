"""Durable queues of events: SQLite, or your own, behind one protocol."""
