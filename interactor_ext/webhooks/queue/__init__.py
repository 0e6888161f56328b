"""Durable queues of events: SQLite and Redis behind one protocol."""
