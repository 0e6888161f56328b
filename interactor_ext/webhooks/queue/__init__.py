"""Durable event queues behind one protocol: SQLite, PostgreSQL, or your own."""
