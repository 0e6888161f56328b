"""Refunds: small ones are paid at once, others wait until somebody approves them. An order is refunded once.

`python examples/workflow_approval.py 599.99` asks in the terminal.
"""

import argparse
import re
from decimal import Decimal

from interactor_client.models import HaltingPresentation, WorkflowInstance, WorkflowState, WorkflowTransition
from interactor_ext import ConflictError, InteractorClient, UnexpectedStateError, WaitTimeoutError, with_retry

STATES = [
    WorkflowState(
        name="check",
        type="action",
        transitions=[
            WorkflowTransition(to="paid", condition="cents < 10000"),
            WorkflowTransition(to="review", condition="cents >= 10000"),
        ],
    ),
    WorkflowState(
        name="review",
        type="halting",
        presentation=HaltingPresentation(type="approval", config={"title": "Pay this refund?"}),
        transitions=[
            WorkflowTransition(to="paid", condition="approved == true"),
            WorkflowTransition(to="refused", condition="approved == false"),
        ],
    ),
    WorkflowState(name="paid", type="terminal"),
    WorkflowState(name="refused", type="terminal"),
]


def refund(user: InteractorClient, order_id: str, cents: int) -> WorkflowInstance:
    """Refund an order, or go on with its refund. Returns it once it has ended or waits for approval.

    Raises ConflictError for an order that another amount is refunded for.
    """
    if cents <= 0:
        raise ValueError(f"A refund of {cents} cents isn't possible.")
    workflow = user.workflows.ensure(name="Refund", initial_state="check", states=STATES)
    context = {"order_id": order_id, "cents": cents}
    # The platform keeps instances for 30 days after their end; a shop keeps their ids in its database.
    for instance in user.workflow_instances.iterate(workflow_id=workflow.id):
        if instance.context.get("order_id") == order_id:
            break
    else:
        # The key is for two refunds at the same moment: neither finds the other, and the platform starts one of them.
        once = user.with_options(idempotency_key=f"refund-{order_id}")
        instance = once.workflow_instances.start(workflow_id=workflow.id, context=context)
    if instance.context.get("cents") != cents:
        raise ConflictError(f"{order_id} already has a refund of another amount: {instance.id}.")
    return user.wait_for_workflow(instance.id, until={"halted", "completed"}, timeout=60)


def decide(user: InteractorClient, instance: WorkflowInstance, *, approved: bool) -> WorkflowInstance:
    """The refund after the decision: this one, or the one that somebody else has made meanwhile."""
    try:
        return with_retry(user.workflow_instances.submit_input)(instance.id, body={"approved": approved})
    except ConflictError:  # also if the response to the first attempt was lost
        return user.workflow_instances.get(instance.id)


def cents(text: str) -> int:
    """Of an amount such as 599.99."""
    if re.fullmatch(r"[0-9]{1,7}([.][0-9]{2})?", text) is None or (found := int(Decimal(text) * 100)) == 0:
        raise ValueError(text)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Refund an order.")
    parser.add_argument("amount", type=cents, nargs="?", default="599.99")
    amount: int = parser.parse_args().amount

    with InteractorClient() as client:
        user = client.namespace("org_acme")
        try:
            instance = refund(user, "ord_123", amount)
        except WaitTimeoutError as error:
            raise SystemExit(f"The refund goes on without us: {error}") from None
        except (ConflictError, UnexpectedStateError) as error:
            raise SystemExit(f"Nothing was paid: {error}") from None
        print(f"{instance.id} is {instance.status} at {instance.current_state!r}")
        if instance.status == "halted":
            approved = input(f"Pay {amount / 100:.2f} for ord_123? [y/N] ").strip().lower() == "y"
            instance = decide(user, instance, approved=approved)
            print(f"{instance.id} is {instance.status} at {instance.current_state!r}")


if __name__ == "__main__":
    main()
