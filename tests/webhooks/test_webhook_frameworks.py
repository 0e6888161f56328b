"""One table of deliveries, the same answers: FastAPI, Starlette, Flask, Django, bare ASGI and WSGI, AWS Lambda."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from interactor_ext.sandbox import Sandbox
from interactor_ext.webhooks import SQLiteEventStore
from tests.support import lambda_events
from tests.support.served import GUNICORN, ROOT, UVICORN, Served, needs
from tests.support.webhook_deliveries import SECRET
from tests.support.webhook_routers import make
from tests.support.webhook_table import Delivery, table

PAGE = ROOT / "docs" / "how-to" / "webhooks.md"
PATH = lambda_events.PATH

# Without a framework: `router` of the Flask recipe, as it is.
BARE = "from flask_recipe import router; asgi, wsgi = router.asgi, router.wsgi"
STARLETTE = f"""
from flask_recipe import router
from starlette.applications import Starlette
from starlette.routing import Route
app = Starlette(routes=[Route({PATH!r}, router.asgi, methods=["POST"])])
"""
# The limit on bodies is less than the router's, and a middleware reads those that it may read.
DJANGO_PROJECT = """
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application

def read_small_bodies(get_response):
    def middleware(request):
        if int(request.headers.get("Content-Length") or 9999) < 9999:
            assert request.body is not None
        return get_response(request)
    return middleware

settings.configure(
    ROOT_URLCONF="%s", ALLOWED_HOSTS=["*"], SECRET_KEY="x", DATA_UPLOAD_MAX_MEMORY_SIZE=9999, MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        __name__ + ".read_small_bodies",
    ]
)
asgi, wsgi = get_asgi_application(), get_wsgi_application()
"""
# What is served, and the packages and the server that it takes.
SERVED = {
    "FastAPI": (["fastapi"], [*UVICORN, "fastapi_recipe:app"]),
    "Starlette": (["flask"], [*UVICORN, "starlette_app:app"]),
    "Flask": (["flask", "gunicorn"], [*GUNICORN, "--workers", "2", "flask_recipe:app"]),
    "Django, WSGI": (["django", "gunicorn"], [*GUNICORN, "--workers", "2", "django_project:wsgi"]),
    "Django, ASGI": (["django"], [*UVICORN, "django_project:asgi"]),
    "Django, async view, WSGI": (["django", "gunicorn"], [*GUNICORN, "--workers", "2", "django_async_project:wsgi"]),
    "Django, async view, ASGI": (["django"], [*UVICORN, "django_async_project:asgi"]),
    "ASGI alone": (["flask"], [*UVICORN, "bare:asgi"]),
    "WSGI alone": (["flask", "gunicorn"], [*GUNICORN, "--workers", "2", "bare:wsgi"]),
}
IN_QUICK_RUNS = {"FastAPI", *lambda_events.FRONT_ENDS}


def those(names: Any) -> list[Any]:
    return [pytest.param(name, marks=() if name in IN_QUICK_RUNS else pytest.mark.full) for name in names]


def recipe(name: str) -> str:
    """The first Python file under the heading of that name."""
    found = re.search(
        rf"^#+ {name}\n.*?^```python title=[^\n]*\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
    assert found is not None, f"the page has no recipe for {name}"
    return found[1]


class ServedReceiver(Served):
    """A framework with a recipe's router."""

    def __init__(self, folder: Path, command: list[str]) -> None:
        super().__init__(command, {"INTERACTOR_WEBHOOK_SECRET": SECRET}, folder)
        self.client = httpx.Client(base_url=self.origin, timeout=60)

    def deliver(self, delivery: Delivery) -> tuple[int, dict[str, str], bytes]:
        headers = [
            (name.encode(), value if isinstance(value, bytes) else value.encode()) for name, value in delivery.headers
        ]
        content = delivery.body if delivery.chunk is None else delivery.chunks()
        answer = self.client.request(delivery.method, PATH, content=content, headers=headers)
        return answer.status_code, dict(answer.headers), answer.content

    def close(self) -> None:
        self.client.close()
        super().close()


class LambdaReceiver:
    """A front end of AWS Lambda with the router's handler behind it."""

    def __init__(self, front_end: str, folder: Path) -> None:
        self._front_end = front_end
        self._lines: list[str] = []
        router = make(SQLiteEventStore(folder / "webhooks.db"), name="shop")
        router.on("credential.expired")(
            lambda event: self._lines.append(f"{event.namespace} must reconnect {event.data.credential_id}\n")
        )
        self._handler = router.lambda_handler

    def printed(self) -> str:
        return "".join(self._lines)

    def deliver(self, delivery: Delivery) -> tuple[int, dict[str, str], bytes]:
        pairs = [
            (name, value.decode("latin-1") if isinstance(value, bytes) else value) for name, value in delivery.headers
        ]
        event = lambda_events.event(self._front_end, delivery.method, pairs, delivery.body)
        answer = json.loads(json.dumps(self._handler(event, None)))
        if event.get("multiValueHeaders") is not None:
            headers = {name: ", ".join(values) for name, values in answer["multiValueHeaders"].items()}
        else:
            headers = answer["headers"]
        assert answer["isBase64Encoded"] is False
        return answer["statusCode"], {name.lower(): value for name, value in headers.items()}, answer["body"].encode()


@pytest.fixture(scope="module")
def receiver(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServedReceiver | LambdaReceiver]:
    folder = tmp_path_factory.mktemp("r")
    if request.param in lambda_events.FRONT_ENDS:
        yield LambdaReceiver(request.param, folder)
        return
    packages, command = SERVED[request.param]
    needs(packages)
    for name in ("FastAPI", "Flask", "Django"):
        (folder / f"{name.lower()}_recipe.py").write_text(recipe(name))
    (folder / "django_async_recipe.py").write_text(recipe("Django").replace("webhook_view", "awebhook_view"))
    (folder / "django_project.py").write_text(DJANGO_PROJECT % "django_recipe")
    (folder / "django_async_project.py").write_text(DJANGO_PROJECT % "django_async_recipe")
    (folder / "starlette_app.py").write_text(STARLETTE)
    (folder / "bare.py").write_text(BARE)
    receiver = ServedReceiver(folder, command)
    try:
        receiver.wait_until_it_answers(PATH)
        yield receiver
    finally:
        receiver.close()


@pytest.mark.parametrize("receiver", those([*SERVED, *lambda_events.FRONT_ENDS]), indirect=True, scope="module")
def test_every_delivery_of_the_table_gets_its_answer_and_runs_the_handler_once(
    receiver: ServedReceiver | LambdaReceiver,
) -> None:
    deliveries = table()
    answers = {each.name: received(receiver, each) for each in deliveries}
    assert {each.name: answers[each.name] for each in deliveries if answers[each.name] != each.answer} == {}
    handled = re.findall("must reconnect cred_(.*)", receiver.printed())
    expected = [json_of(each)["idempotency_key"] for each in deliveries if each.answer == (200, "handled")]
    assert sorted(handled) == sorted(expected)
    assert "usér_\u2028 must reconnect cred_raw" in receiver.printed()


def received(receiver: ServedReceiver | LambdaReceiver, delivery: Delivery) -> tuple[int, str]:
    """The status and the word of an answer. What the store was too slow for comes again, as the platform does it."""
    deadline = time.monotonic() + 60
    status, headers, content = receiver.deliver(delivery)
    while status == 503 and time.monotonic() < deadline:
        status, headers, content = receiver.deliver(delivery)
    if status == 405:
        assert "POST" in headers["allow"]
        return status, "method_not_allowed"  # a framework that knows the methods of a path has a body of its own
    assert headers["content-type"] == "application/json"
    document = json.loads(content)
    return status, document["status"] if status == 200 else document["error"]["code"]


def json_of(delivery: Delivery) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(delivery.body)
    return document


@pytest.mark.parametrize("receiver", those(SERVED), indirect=True, scope="module")
def test_sandbox_delivery_is_handled_and_rotated_secret_returns_401(receiver: ServedReceiver) -> None:
    with Sandbox().run() as sandbox, sandbox.client() as client:
        user = client.namespace("user_123")
        webhook = user.webhooks.create(url=receiver.origin + PATH, events=["credential.expired"], secret=SECRET)
        genuine = expire_a_credential(sandbox, user)
        user.webhooks.rotate_secret(webhook.id)
        forged = expire_a_credential(sandbox, user)
        sandbox.wait_for_deliveries(60)
        answers = {delivery.event["data"]["credential_id"]: delivery.status for delivery in sandbox.deliveries}
    assert answers == {genuine: 200, forged: 401}
    assert f"user_123 must reconnect {genuine}" in receiver.printed()
    assert forged not in receiver.printed()


def expire_a_credential(sandbox: Sandbox, user: Any) -> str:
    """The id of a credential that expired; the first delivery of that has been answered when this returns."""
    credential = sandbox.add_credential("google", namespace="user_123", expires_in=-1, refreshable=False)
    assert user.credentials.get(credential["id"]).status == "expired"
    sandbox.wait_for_deliveries(60)
    return str(credential["id"])
