"""Stores that deduplicate events behind one protocol: memory, SQLite, Redis and PostgreSQL."""
