"""Pytest fixtures of the sandbox: one server for the whole run, reset for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest

from interactor_ext.sandbox import Sandbox
from tests.support import patient
from tests.support.sandbox_caller import Caller, control_url


@pytest.fixture(scope="session")
def sandbox_server() -> Iterator[Sandbox]:
    with Sandbox().run() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(sandbox_server: Sandbox) -> Sandbox:
    """One server for all tests, reset for each."""
    sandbox_server.reset()
    return sandbox_server


@pytest.fixture
def caller(sandbox: Sandbox) -> Iterator[Caller]:
    with Caller(sandbox) as caller:
        yield caller


@pytest.fixture
def control(sandbox: Sandbox) -> Iterator[httpx.Client]:
    """A client of `/_sandbox` with the rights of its page."""
    with patient.Client(base_url=control_url(sandbox)) as client:
        yield client


@pytest.fixture
def another(sandbox: Sandbox) -> Iterator[Callable[..., Caller]]:
    """Makes further callers of the same sandbox, and closes them."""
    with ExitStack() as stack:
        yield lambda namespace="user_1", **options: stack.enter_context(Caller(sandbox, namespace, **options))
