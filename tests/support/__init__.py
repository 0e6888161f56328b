"""Servers, clients, clocks and waits that tests share."""
