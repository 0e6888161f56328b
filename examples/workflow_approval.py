"""Refunds: small ones are paid at once, others wait until somebody approves them.

`python examples/workflow_approval.py 599.99` asks in the terminal.
"""

import argparse

from interactor_client.models import HaltingPresentation, Workflow, WorkflowInstance, WorkflowState, WorkflowTransition
from interactor_ext import InteractorClient, WaitTimeoutError

NAME = "Refund"
STATES = [
    WorkflowState(
        name="check",
        type="action",
        transitions=[
            WorkflowTransition(to="paid", condition="amount < 100"),
            WorkflowTransition(to="review", condition="amount >= 100"),
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


def refund_workflow(user: InteractorClient) -> Workflow:
    """The definition, which is made once; every refund is an instance of it."""
    for workflow in user.workflows.iterate():
        if workflow.name == NAME:
            return workflow
    return user.workflows.create(name=NAME, initial_state="check", states=STATES)


def refund(user: InteractorClient, order_id: str, amount: float) -> WorkflowInstance:
    """Start a refund and follow it to its end, or until it waits for approval."""
    workflow = refund_workflow(user)
    instance = user.workflow_instances.start(workflow_id=workflow.id, context={"order_id": order_id, "amount": amount})
    return user.wait_for_workflow(instance.id, until={"halted", "completed"}, timeout=60)


def main() -> None:
    parser = argparse.ArgumentParser(description="Refund an order.")
    parser.add_argument("amount", type=float, nargs="?", default=599.99)
    amount: float = parser.parse_args().amount

    with InteractorClient() as client:
        user = client.namespace("org_acme")
        try:
            instance = refund(user, "ord_123", amount)
        except WaitTimeoutError as error:
            raise SystemExit(f"The refund goes on without us: {error}") from None
        print(f"{instance.id} is {instance.status} at {instance.current_state!r}")
        if instance.status == "halted":
            approved = input(f"Pay {amount:.2f} for ord_123? [y/N] ").strip().lower() == "y"
            instance = user.workflow_instances.submit_input(instance.id, body={"approved": approved})
            print(f"{instance.id} is {instance.status} at {instance.current_state!r}")


if __name__ == "__main__":
    main()
