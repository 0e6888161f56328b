"""Stores of handled events: memory, SQLite and Redis behind one protocol."""
