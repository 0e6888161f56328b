"""Stores that deduplicate events: memory, SQLite, Redis and PostgreSQL behind one protocol."""
