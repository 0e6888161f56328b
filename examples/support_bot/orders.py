"""The orders of the shop, and the tool that looks them up."""

from interactor_ext import ToolContext, ToolSet

ORDERS = {"user_alice": {17: "on its way"}, "user_bob": {18: "being packed"}}  # in place of your database
tools = ToolSet()


@tools.tool
def order_status(context: ToolContext, number: int) -> str:
    """The status of one of the customer's orders.

    Args:
        number: The number of the order.
    """
    return ORDERS.get(context.namespace or "", {}).get(number, "no such order")
