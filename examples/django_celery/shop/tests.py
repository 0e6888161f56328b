from django.contrib.auth.models import User
from django.test import Client

from interactor_ext import InteractorClient
from interactor_ext.testing import WebhookFactory
from shop.chat import tools
from shop.models import Question, Refund
from shop.webhooks import router


def test_refund_waits_for_approval(transactional_db: None, client: Client, interactor_client: InteractorClient) -> None:
    ada = User.objects.create_superuser("ada")
    tenant = interactor_client.namespace(f"org_{ada.groups.create(name='Acme').pk}")
    client.force_login(ada)
    room = client.get("/").context["room"]
    with tenant.chat(room, '/tool refund {"order": "o_17", "euros": 250}', tools=tools) as reply:
        list(reply)
    [call] = reply.waiting
    url, decision = f"/interactor/rooms/{room}/approvals/{call.id}", {"decision": "approve", "digest": call.digest}
    client.post(url, decision, "application/json", headers={"origin": "http://testserver"})
    assert Refund.objects.get().approved_by == "ada"


def test_question_is_noted_once(db: None, interactor_webhook: WebhookFactory) -> None:
    delivery = interactor_webhook("room.message.created", {"role": "user", "content": "Hi"}, namespace="org_1")
    for _ in range(2):
        router.run(delivery.body)  # as the worker does
    assert Question.objects.get().company == "org_1"
