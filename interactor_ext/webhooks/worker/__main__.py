"""`python -m interactor_ext.webhooks.worker`: runs handlers for queued events until SIGTERM or Ctrl-C."""

import sys

from interactor_ext.webhooks.worker._process import main

if __name__ == "__main__":
    sys.exit(main())
