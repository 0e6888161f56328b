"""One access token for many calls. The public face is `interactor_ext.tokens`."""
