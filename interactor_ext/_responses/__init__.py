"""Responses of the API: the model of a success, or the typed error of any other status."""
