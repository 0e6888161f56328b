"""Handlers of every kind that people write, in the servers and frameworks that they run in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.support.served import UVICORN, Served, needs
from tests.support.waiting import PATIENCE
from tests.support.webhook_deliveries import delivery

pytestmark = pytest.mark.full  # starts each server as a process

DJANGO = """
import django
from asgiref.sync import sync_to_async
from django.conf import settings
from interactor_ext.webhooks import SQLiteEventStore, WebhookRouter, WebhookVerifier
from tests.support.webhook_deliveries import SECRET

settings.configure(
    ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], INSTALLED_APPS=["django.contrib.contenttypes"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "django.db"}},
)
django.setup()
from django.contrib.contenttypes.models import ContentType
from django.core.asgi import get_asgi_application
from django.core.management import call_command
from django.http import HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from interactor_ext.webhooks.django import awebhook_view, webhook_view

call_command("migrate", verbosity=0)
router = WebhookRouter(WebhookVerifier(SECRET), SQLiteEventStore("events.db"), name="shop")

@router.on("room.*")
async def save(event):
    await ContentType.objects.acreate(app_label="shop", model=event.idempotency_key)
    await sync_to_async(print)(f"saved {event.idempotency_key}", flush=True)

@csrf_exempt
def own_view(request):
    answer = router.handle(request.body, request.headers)
    return HttpResponse(answer.body, status=answer.status, headers=answer.headers)

urlpatterns = [
    path("view", webhook_view(router)), path("async-view", awebhook_view(router)), path("own-view", own_view)
]
application = get_asgi_application()
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    needs(["django"])
    (tmp_path / "application.py").write_text(DJANGO)
    with closing(Served([*UVICORN, "application:application"], {}, tmp_path)) as served:
        served.wait_until_it_answers("/view")
        yield served


def test_async_orm_works_in_each_view_under_asgi(server: Served) -> None:
    with httpx.Client(base_url=server.origin, timeout=PATIENCE) as client:
        for view in ("view", "async-view", "own-view"):
            body, headers = delivery(key=view)
            answer = client.post(view, content=body, headers=headers)
            assert (answer.status_code, json.loads(answer.content)) == (200, {"status": "handled"}), server.printed()
            assert f"saved {view}" in server.printed()
