"""The version, where everything can read it at no cost, the build too."""

__version__ = "2.0.0"
"""The version of the SDK."""
