"""The assistant of each customer, and a room to talk to it."""

import asyncio
import sys

from interactor_ext import AsyncInteractorClient, get_async_client
from orders import tools


async def room_of(customer: AsyncInteractorClient) -> str:
    """The id of the customer's room. It and the assistant are made at the first visit, once, also by two at a time."""
    bot = await customer.assistants.ensure(
        name="Support Bot",
        model="gpt-4",
        system_prompt="You help the customers of a shop.",
        tools=tools,
    )
    rooms = await customer.rooms.list(assistant_id=bot.id, per_page=1)
    if rooms.data:
        return rooms.data[0].id
    once = customer.with_options(idempotency_key=f"room-of-{bot.id}")
    return (await once.rooms.create(assistant_id=bot.id)).id


async def main() -> None:
    async with get_async_client() as client:
        for name in ("alice", "bob"):
            customer = client.namespace(f"user_{name}")
            async with customer.chat(await room_of(customer), sys.argv[1], tools=tools) as reply:
                print(f"{name}: {(await reply.message()).content}")


if __name__ == "__main__":
    asyncio.run(main())
