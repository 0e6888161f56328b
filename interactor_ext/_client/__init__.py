"""The clients: settings and options in, views with typed resources out."""
