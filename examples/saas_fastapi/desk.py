"""What each company has at the platform: an assistant with a tool, a room, and a form."""

from typing import Any

from sqlalchemy.dialects.postgresql import insert

from database import Refund, Session, store
from interactor_client.models import HaltingPresentation, PresentationField, WorkflowState, WorkflowTransition
from interactor_ext import AsyncInteractorClient, ToolContext, ToolSet
from interactor_ext.telemetry import PrometheusTelemetry
from interactor_ext.tokens import FileTokenStore

telemetry = PrometheusTelemetry(namespace_label="hash")
# One token for all processes, and no call that outlasts the 30 seconds of a load balancer.
CLIENT: dict[str, Any] = {
    "require_namespace": True,
    "token_store": FileTokenStore("interactor-token.json"),
    "telemetry": telemetry,
    "timeout": 10,
    "deadline": 25,
}
tools = ToolSet(around=Session.begin, ledger=store)
FORM = HaltingPresentation(
    type="form",
    title="Return an order",
    fields=[PresentationField(name="order", type="text", label="Order", required=True)],
)
STATES = [
    WorkflowState(name="ask", type="halting", presentation=FORM, transitions=[WorkflowTransition(to="registered")]),
    WorkflowState(name="registered", type="terminal"),
]


@tools.tool(approval=lambda arguments: arguments["amount"] > 100, show=("order", "amount"), idempotent=True)
async def refund(context: ToolContext, order: str, amount: int) -> str:
    """Pays a customer back, in euros."""
    paid = insert(Refund).values(
        key=context.idempotency_key,
        company=context.namespace,
        order=order,
        amount=amount,
        approved_by=context.decided_by,
    )
    await context.around.execute(paid.on_conflict_do_nothing())
    return f"{amount} euros are on their way."


async def room_of(company: AsyncInteractorClient) -> str:
    bot = await company.assistants.ensure(name="Support Bot", model="gpt-4", system_prompt="You help.", tools=tools)
    return (await company.rooms.ensure(bot.id)).id


async def start_return(company: AsyncInteractorClient) -> str:
    workflow = await company.workflows.ensure(name="Return", initial_state="ask", states=STATES)
    return (await company.workflow_instances.start(workflow.id)).id
