"""Each company's chat. Its assistant pays customers back once somebody with the permission has approved it."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from interactor_ext import ToolContext, ToolSet, get_async_client, get_client
from interactor_ext.relay import SCRIPTS, Relay
from interactor_ext.webhooks.django import HandlerScope
from shop.models import Refund
from shop.webhooks import SECRET, router

tools = ToolSet()


@tools.tool(approval=True, show=("order", "euros"))
def refund(order: str, euros: int, context: ToolContext) -> str:
    """Pays a customer back."""
    Refund.objects.create(company=context.namespace, order=order, euros=euros, approved_by=context.decided_by)
    return f"{euros} euros are on their way."


def company(request: Any) -> str | None:
    """Each user is in one group, whose members share a namespace."""
    return f"org_{request.user.groups.get().pk}" if request.user.is_authenticated else None


def approver(namespace: str, room_id: str, request: Any) -> str | None:
    return request.user.username if request.user.has_perm("shop.add_refund") else None


relay = Relay(get_async_client, authorize=company, approvals=approver, tools=tools, around=HandlerScope)


@login_required
def page(request: HttpRequest) -> HttpResponse:
    tenant = get_client().namespace(str(company(request)))
    tenant.webhooks.ensure(url=request.build_absolute_uri("/webhooks/interactor"), events=router.events, secret=SECRET)
    bot = tenant.assistants.ensure(name="Support", model="gpt-4", system_prompt="You help customers.", tools=tools)
    return render(request, "chat.html", {"room": tenant.rooms.ensure(bot.id).id, "script": SCRIPTS["interactor-chat"]})
