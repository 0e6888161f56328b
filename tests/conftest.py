"""The SDK's own pytest plugin, as users have it by its entry point."""

from __future__ import annotations

import gc
import os
import signal

import pytest
from hypothesis import HealthCheck, settings

from tests import surroundings

HOME = surroundings.make_plain()

pytest_plugins = ["interactor_ext.pytest_plugin"]
pytest.register_assert_rewrite("tests.support")  # their asserts say what they compared, too

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts a job in the background has it ignore Ctrl-C, and so would every process that a test starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# boto3 would ask the network that the machine stands in for credentials.
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"

# The same examples in every run, whatever the machine is busy with; `make nightly` looks for new ones.
settings.register_profile(
    "suite",
    deadline=None,
    derandomize="INTERACTOR_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("suite")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("full") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(600))


def pytest_collection_finish() -> None:
    """Take thousands of tests out of the sight of the collector, which tests call, and wait for, hundreds of times."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    gc.unfreeze()  # Hypothesis asks the collector who knows what, and may first be loaded for its part of the summary.


def pytest_unconfigure() -> None:
    """pytest collects five times after this, half a second each, for garbage that warns."""
    gc.collect()
    gc.freeze()
