"""The same flows through the local sandbox and through the platform's own sandbox.

The second are marked `live`. They run where INTERACTOR_SANDBOX_CLIENT_ID and INTERACTOR_SANDBOX_CLIENT_SECRET are set,
each in a namespace of its own, and leave nothing in it.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator

import pytest

from interactor_ext import InteractorClient
from interactor_ext.sandbox import Sandbox
from tests.support.flows import FLOWS, left_behind

CREDENTIALS = {"client_id": "INTERACTOR_SANDBOX_CLIENT_ID", "client_secret": "INTERACTOR_SANDBOX_CLIENT_SECRET"}


@pytest.fixture(params=["ours", pytest.param("theirs", marks=pytest.mark.live)])
def user(request: pytest.FixtureRequest) -> Iterator[InteractorClient]:
    namespace = f"sdk_test_{uuid.uuid4().hex}"
    if request.param == "ours":
        sandbox: Sandbox = request.getfixturevalue("interactor_sandbox")
        with sandbox.client() as client:
            yield client.namespace(namespace)
        return
    settings = {field: os.environ.get(variable) for field, variable in CREDENTIALS.items()}
    if not all(settings.values()):
        pytest.skip(f"needs {' and '.join(CREDENTIALS.values())}")
    with InteractorClient(**settings, environment="sandbox") as client:
        yield client.namespace(namespace)


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.__name__)
def test_flow_works_on_sandbox_and_platform(user: InteractorClient, flow: Callable[[InteractorClient], None]) -> None:
    try:
        flow(user)
    finally:
        left = left_behind(user)
    assert left == []
