"""When a call may go, so that the server never has to refuse it. The public face is `interactor_ext.limits`."""
