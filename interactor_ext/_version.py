"""The version, where everything can read it at no cost. A test compares it with pyproject.toml."""

__version__ = "2.0.0"
"""The version of the SDK."""
