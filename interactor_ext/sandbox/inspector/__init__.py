"""The inspector: the web page at `/_sandbox`."""
