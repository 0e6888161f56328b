"""Streams of events, on top of `interactor_ext.sse`."""
