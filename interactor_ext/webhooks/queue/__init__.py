"""Durable queues of events: SQLite, PostgreSQL, or your own, behind one protocol."""
