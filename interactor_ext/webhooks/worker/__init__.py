"""The worker of a queue, and its process: `python -m interactor_ext.webhooks.worker`."""
