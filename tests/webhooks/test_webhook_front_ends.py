"""What FastAPI, Django and AWS Lambda take from a WebhookRouter besides deliveries."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from interactor_client.models import EVENT_MODELS
from interactor_ext import ConfigurationError
from interactor_ext.testing import WebhookFactory
from tests.support import lambda_events
from tests.support.webhook_deliveries import SECRET, delivery
from tests.support.webhook_routers import make

BALANCERS = [name for name in lambda_events.FRONT_ENDS if "Balancer" in name]
PREFIX = "/webhooks/interactor"


@pytest.mark.parametrize("front_end", lambda_events.FRONT_ENDS)
def test_lambda_answer_has_the_members_that_its_front_end_reads(front_end: str) -> None:
    body, headers = delivery()
    event = lambda_events.event(front_end, "POST", list(headers.items()), body)
    members = {"statusCode", "isBase64Encoded", "body"}
    members |= {"multiValueHeaders"} if event.get("multiValueHeaders") else {"headers"}
    members |= {"statusDescription"} if front_end in BALANCERS else set()
    assert set(make().lambda_handler(event)) == members


@pytest.mark.parametrize("front_end", lambda_events.FRONT_ENDS)
def test_health_check_of_a_load_balancer_returns_200(front_end: str) -> None:
    for agent, is_healthy in (("ELB-HealthChecker/2.0", front_end in BALANCERS), ("curl/8", False)):
        check = lambda_events.event(front_end, "GET", [("User-Agent", agent)], b"")
        answer = make().lambda_handler(check, None)
        assert answer["statusCode"] == (200 if is_healthy else 405)
        assert not is_healthy or answer["statusDescription"] == "200 OK"
        assert not is_healthy or json.loads(answer["body"]) == {"status": "healthy"}


@pytest.mark.parametrize(
    "event",
    [
        {"Records": [{"eventSource": "aws:sqs", "body": "{}"}]},
        {},
        [],
        None,
        {"httpMethod": "POST", "body": "/", "isBase64Encoded": True},
        {"requestContext": {"http": None}},
    ],
)
def test_lambda_event_of_another_trigger_raises_configuration_error(event: Any) -> None:
    with pytest.raises(ConfigurationError, match="check the function's trigger"):
        make().lambda_handler(event)


def test_fastapi_describes_every_event() -> None:
    fastapi = pytest.importorskip("fastapi")
    validator = pytest.importorskip("openapi_spec_validator")
    app = fastapi.FastAPI()
    app.include_router(make().fastapi(), prefix=PREFIX, tags=["webhooks"])
    document = app.openapi()
    validator.validate(document)
    assert "$ref" not in json.dumps(document)
    [described] = document["paths"][PREFIX].values()
    schema = described["requestBody"]["content"]["application/json"]["schema"]
    known = {each["properties"]["event"].get("const") for each in schema["anyOf"]}
    assert known - {None} == set(EVENT_MODELS["WebhookEvent"]) - {""}
    assert schema["anyOf"][0]["properties"]["data"]["properties"]["credential_id"]["type"] == "string"
    assert described["tags"] == ["webhooks"]


def test_fastapi_runs_the_dependencies_that_the_router_is_included_with() -> None:
    fastapi = pytest.importorskip("fastapi")
    testclient = pytest.importorskip("fastapi.testclient")
    calls: list[str] = []
    app = fastapi.FastAPI()
    app.include_router(make().fastapi(), prefix=PREFIX, dependencies=[fastapi.Depends(lambda: calls.append("called"))])
    body, headers = delivery()
    with testclient.TestClient(app) as client:
        assert client.post(PREFIX, content=body, headers=headers).json() == {"status": "ignored"}
    assert calls == ["called"]


def sent_to(app: Any, path: str) -> Any:
    return WebhookFactory(SECRET)("room.message.created").send(app, path)


FRONT_ENDS: dict[str, Any] = {
    "AWS Lambda": lambda router: router.lambda_handler(
        lambda_events.event("function URL", "POST", list((sent := delivery())[1].items()), sent[0])
    ),
    "WSGI": lambda router: sent_to(router.wsgi, "/"),
    "Flask": lambda router: sent_to(flask_app(router), "/"),
}


@pytest.mark.parametrize("front_end", FRONT_ENDS)
@pytest.mark.parametrize("timeout", [None, 60])
def test_handler_runs_in_the_thread_of_its_request_unless_it_has_a_timeout(front_end: str, timeout: Any) -> None:
    """docs/how-to/webhooks.md: without a limit, as nothing can stop it there."""
    threads: list[int] = []
    router = make(handler_timeout=timeout)
    router.on("*")(lambda event: threads.append(threading.get_ident()))
    FRONT_ENDS[front_end](router)
    assert [each == threading.get_ident() for each in threads] == [timeout is None]


def flask_app(router: Any) -> Any:
    app = pytest.importorskip("flask").Flask(__name__)
    app.register_blueprint(router.flask("/"))
    return app


def fastapi_api() -> Any:
    api = pytest.importorskip("fastapi").APIRouter(prefix="/webhooks")
    api.include_router(make().fastapi(), prefix="/interactor")
    app = pytest.importorskip("fastapi").FastAPI()
    app.include_router(api)
    return app


def starlette_app(route: Any) -> Any:
    return pytest.importorskip("starlette.applications").Starlette(routes=[route])


def starlette_routing() -> Any:
    return pytest.importorskip("starlette.routing")


@pytest.mark.parametrize(
    ("application", "status"),
    {
        "the prefix moved to the inner router": (fastapi_api, 200),
        "Route": (lambda: starlette_app(starlette_routing().Route(PREFIX, make().asgi, methods=["POST"])), 200),
        "Mount": (lambda: starlette_app(starlette_routing().Mount(PREFIX, make().asgi)), 307),
    }.values(),
)
def test_routes_that_the_page_names_answer_and_a_mount_redirects(application: Any, status: int) -> None:
    """docs/how-to/webhooks.md"""
    assert sent_to(application(), PREFIX).status == status


def test_flask_serves_two_routers_at_one_path_under_two_prefixes() -> None:
    app = pytest.importorskip("flask").Flask(__name__)
    routers = [make(), make(hand_over=print)]
    for number, router in enumerate(routers):
        app.register_blueprint(router.flask("/"), url_prefix=f"/{number}")
    bodies = [sent_to(app, f"/{number}/").body for number in (0, 1)]
    assert [b"ignored" in bodies[0], b"accepted" in bodies[1]] == [True, True]


def test_django_views_are_exempt_from_login() -> None:
    django = pytest.importorskip("django")
    if django.VERSION < (5, 1):
        pytest.skip("needs Django 5.1, which has LoginRequiredMiddleware")
    from django.contrib.auth.decorators import login_not_required
    from django.views.decorators.csrf import csrf_exempt

    from interactor_ext.webhooks.django import awebhook_view, webhook_view

    def view(request: Any) -> None: ...

    exempt = vars(login_not_required(csrf_exempt(view)))
    for each in (webhook_view(make()), awebhook_view(make())):
        assert {name: vars(each)[name] for name in ("csrf_exempt", "login_required")}.items() <= exempt.items()
