"""Stores that deduplicate events: memory, SQLite and Redis behind one protocol."""
