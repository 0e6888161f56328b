"""`python -m tests.support.hooks HOOK CORE_URL ACCOUNT_URL FOLDER STEPS`: calls and streams over the default transports
in a fresh process, with and without libraries that hook into httpx; prints what each use returned.

The first use imports the SDK. `one` in front of the steps means one client for all of them.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

HOOK, CORE, ACCOUNT, FOLDER, *STEPS = sys.argv[1:] or [""] * 4
TOKEN = {"data": {"access_token": "mocked", "token_type": "Bearer", "expires_in": 3600}}
TIME = "2026-01-20T10:00:00Z"
FIELDS = {"model": "gpt-4", "system_prompt": "", "tools": [], "data_sources": [], "created_at": TIME}
MOCKED = {"data": {"id": "asst_1", "name": "mocked", "updated_at": TIME, **FIELDS}}
EVENTS = [b'id: %d\ndata: {"type":"message.delta","content":"mocked %d"}\n\n' % (number, number) for number in (1, 2)]
SSE = {"content-type": "text/event-stream"}

Use = Callable[..., None]
"""One use; its argument is called with each of httpx's clients."""


def nothing(use: Use) -> None:
    use()


def vcrpy(use: Use) -> None:
    """Records if there is no cassette yet, and replays otherwise."""
    import vcr

    with vcr.use_cassette(f"{FOLDER}/cassette.yaml"):
        use()


def respx_httpcore(use: Use, using: str = "httpcore") -> None:
    import respx

    with respx.mock(using=using, assert_all_called=False) as router:
        router.post(f"{ACCOUNT}/oauth/token").respond(json=TOKEN)
        router.get(f"{CORE}/assistants/asst_1").respond(json=MOCKED)
        router.get(f"{CORE}/rooms/room_1/stream").respond(headers=SSE, stream=Chunks())
        router.get(f"{CORE}/assistants/asst_past").pass_through()
        use()


def respx_httpx(use: Use) -> None:
    respx_httpcore(use, "httpx")


class Chunks(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        yield from EVENTS

    async def __aiter__(self) -> Any:
        for event in EVENTS:
            yield event


def pytest_httpx(use: Use) -> None:
    """Its mock is a fixture of pytest, so the use is a test."""
    import pytest

    class Plugin:
        @pytest.fixture
        def prepared_use(self, httpx_mock: Any) -> Use:
            httpx_mock.add_response(url=f"{ACCOUNT}/oauth/token", json=TOKEN)
            httpx_mock.add_response(url=f"{CORE}/assistants/asst_1", json=MOCKED)
            httpx_mock.add_response(url=f"{CORE}/rooms/room_1/stream", headers=SSE, stream=Chunks())
            return use

    test = Path(FOLDER, "test_use.py")
    test.write_text(
        "import pytest\n@pytest.mark.httpx_mock(assert_all_responses_were_requested=False,"
        "assert_all_requests_were_expected=False, can_send_already_matched_responses=True,"
        "should_mock=lambda request: not request.url.path.endswith('asst_past'))\n"
        "def test_use(prepared_use): prepared_use()"
    )
    Path(FOLDER, "pytest.ini").write_text("[pytest]")
    options = [
        "-c",
        f"{FOLDER}/pytest.ini",
        "--disable-plugin-autoload",
        "-p",
        "pytest_httpx",
        "-p",
        "no:cacheprovider",
    ]
    assert pytest.main([*options, "-qq", "--no-summary", str(test)], plugins=[Plugin()]) == 0


def otel(use: Use) -> None:
    instrumentor = otel_instrumentor()
    instrumentor.instrument()
    try:
        use()
    finally:
        instrumentor.uninstrument()


def otel_client(use: Use) -> None:
    instrumentor = otel_instrumentor()
    use(attach=instrumentor.instrument_client, detach=instrumentor.uninstrument_client)


def otel_instrumentor() -> Any:
    from opentelemetry import trace
    from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
    from opentelemetry.sdk.trace import TracerProvider

    trace.set_tracer_provider(TracerProvider())
    return HTTPXClientInstrumentor()


def sentry(use: Use) -> None:
    import sentry_sdk
    from sentry_sdk.integrations.httpx import HttpxIntegration

    sentry_sdk.init(
        traces_sample_rate=1,
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[HttpxIntegration()],
    )
    with sentry_sdk.start_transaction(name="use"):
        use()
    sentry_sdk.get_global_scope().set_client(None)


def datadog(use: Use) -> None:
    import ddtrace

    ddtrace.patch(httpx=True)
    with ddtrace.tracer.trace("use"):
        use()
    from ddtrace.contrib.internal.httpx.patch import unpatch

    unpatch()


class Uses:
    """The uses, one after the other, each with a sync and an async client."""

    def __init__(self, keep: bool) -> None:
        self._keep = keep
        self._made: dict[str, Any] = {}
        self.got: list[dict[str, Any]] = []

    def client(self, name: str) -> Any:
        import interactor_ext

        made = self._made.get(name)
        if made is None:
            settings: dict[str, Any] = {"client_id": "c", "client_secret": "s", "max_retries": 0}
            made = getattr(interactor_ext, name)(core_api_url=CORE, account_server_url=ACCOUNT, **settings)
        if self._keep:
            self._made[name] = made
        return made

    def __call__(self, attach: Callable[[Any], None] = id, detach: Callable[[Any], None] = id) -> None:
        number = len(self.got)
        client, async_client = self.client("InteractorClient"), self.client("AsyncInteractorClient")
        https = client.api.get_httpx_client(), async_client.api.get_async_httpx_client()
        for http in https:
            attach(http)
        self.got.append(
            {
                "sync": calls(client.namespace(f"{number}_sync"), f"asst_new_{number}"),
                "async": asyncio.run(async_calls(async_client.namespace(f"{number}_async"), f"asst_new_{number}")),
            }
        )
        for http in https:
            detach(http)
        if not self._keep:
            client.close()
            asyncio.run(async_client.aclose())


def calls(user: Any, unknown: str) -> list[str]:
    """The name of an object, two events of a stream, the name of an object that mocks let pass, and of one that they
    don't know.
    """
    with user.rooms.stream("room_1") as stream:
        events = [next(stream).content for _ in range(2)]
    names = []
    for assistant_id in ("asst_1", "asst_past", unknown):
        try:
            names.append(user.assistants.get(assistant_id).name)
        except Exception as error:
            names.append(type(error).__name__)
    return [*events, *names]


async def async_calls(user: Any, unknown: str) -> list[str]:
    async with user.rooms.stream("room_1") as stream:
        events = [(await anext(stream)).content for _ in range(2)]
    names = []
    for assistant_id in ("asst_1", "asst_past", unknown):
        try:
            names.append((await user.assistants.get(assistant_id)).name)
        except Exception as error:
            names.append(type(error).__name__)
    return [*events, *names]


if __name__ == "__main__":
    hook: Callable[[Use], None] = globals()[HOOK]
    uses = Uses(keep=STEPS[0] == "one")
    for step in STEPS:
        if step == "on":
            hook(uses)
        elif step == "off":
            uses()
        elif step == "unused":
            hook(lambda **_: None)
    print(json.dumps(uses.got))
