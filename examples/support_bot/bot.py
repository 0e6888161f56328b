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
    key = f"room-of-{bot.id}"
    while not (rooms := await customer.rooms.list(assistant_id=bot.id, per_page=1)).data:
        room = await customer.with_options(idempotency_key=key).rooms.create(assistant_id=bot.id)
        key = f"room-after-{room.id}"  # for 24 hours a key gives the same room, also after it was deleted
    return rooms.data[0].id


async def main() -> None:
    async with get_async_client() as client:
        for name in ("alice", "bob"):
            customer = client.namespace(f"user_{name}")
            async with customer.chat(await room_of(customer), sys.argv[1], tools=tools) as reply:
                print(f"{name}: {(await reply.message()).content}")


if __name__ == "__main__":
    asyncio.run(main())
