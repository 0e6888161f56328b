"""Who is told of what happens. The public face is `interactor_ext.telemetry`."""
