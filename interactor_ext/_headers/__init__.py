"""Parsers of HTTP header values."""
