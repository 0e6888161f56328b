"""What makes a tool of a Python function. The public face is `interactor_ext.tools`."""
