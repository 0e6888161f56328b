"""Settings that the application reads when it is imported."""

import os

os.environ["INTERACTOR_WEBHOOK_SECRET"] = "whsec_for_tests"
