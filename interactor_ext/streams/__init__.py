"""Event streams with reconnects, on top of the decoder in `interactor_ext.sse`."""
