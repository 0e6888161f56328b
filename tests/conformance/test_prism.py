"""Every operation through Prism: what the SDK sends and what the sandbox answers, compared with openapi.yaml by a third
party; and the SDK against Prism's mock, which knows nothing of the sandbox.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from interactor_ext import InteractorClient, ServerError
from interactor_ext.sandbox import Sandbox
from interactor_ext.sandbox.http.contract import load_contract
from tests.support.every_operation import STREAMS, use_every_operation
from tests.support.npm import npm_package
from tests.support.prism import PACKAGE, Prism

pytestmark = pytest.mark.full

DOCUMENT = Path(__file__).parents[2] / "openapi.yaml"


class Proxied(NamedTuple):
    """A sandbox, and a client whose calls of either server pass through a Prism of its own."""

    sandbox: Sandbox
    client: InteractorClient


@pytest.fixture(scope="module")
def prism(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Prism:
    return Prism(npm_package(request, PACKAGE), tmp_path_factory.mktemp("prism"))


@pytest.fixture(scope="module")
def proxied(prism: Prism) -> Iterator[Proxied]:
    with (
        Sandbox().run() as sandbox,
        # Prism knows one upstream, whatever servers a path names for itself.
        prism.run("proxy", DOCUMENT, sandbox.core_api_url) as core,
        prism.run("proxy", DOCUMENT, sandbox.account_server_url) as account,
        sandbox.client(core_api_url=core, account_server_url=account, max_retries=0) as client,
    ):
        yield Proxied(sandbox, client)


def test_requests_and_responses_of_every_operation_match_the_contract(proxied: Proxied) -> None:
    # With `--errors`, a violation is answered with 422 or 500, which the client raises.
    sandbox, client = proxied

    def approve(flow_id: str) -> str:
        return parse_qs(urlsplit(sandbox.decide(flow_id)).query)["code"][0]

    use_every_operation(client, approve)
    assert {record.operation for record in sandbox.requests} == load_contract().operations.keys() - STREAMS
    assert [record for record in sandbox.requests if record.status >= 300] == []


def test_prism_reports_a_request_that_violates_the_contract(proxied: Proxied) -> None:
    response = httpx.post(
        f"{proxied.client.config.core_api_url}/rooms",
        json={"assistant_id": 1},
        headers={"authorization": f"Bearer {proxied.client.get_access_token()}"},
    )
    assert (response.status_code, response.json()["title"]) == (422, "Invalid request")


def test_prism_reports_a_response_that_violates_the_contract(proxied: Proxied) -> None:
    user = proxied.client.namespace("user_2")
    bot = user.assistants.create(name="Bot", model="gpt-4", system_prompt="")
    store = proxied.sandbox._state.store
    store.change(store.get("assistant", "user_2", bot.id), {"name": 5})
    with pytest.raises(ServerError):
        user.assistants.get(bot.id)


# The mock answers with every header of the contract, and so calls everything deprecated.
@pytest.mark.filterwarnings("ignore::interactor_ext.deprecation.InteractorDeprecationWarning")
def test_sdk_calls_every_operation_of_a_mock_of_the_contract(prism: Prism) -> None:
    with (
        prism.run("mock", DOCUMENT) as url,
        InteractorClient(
            client_id="c", client_secret="s", core_api_url=url, account_server_url=url, max_retries=0
        ) as client,
    ):
        use_every_operation(client, approve=lambda flow_id: f"code_of_{flow_id}")
