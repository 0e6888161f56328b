"""The assistant of each customer, and a room to talk to it."""

import asyncio
import sys
from contextlib import suppress

from interactor_ext import AsyncInteractorClient, NotFoundError, get_async_client
from orders import tools


async def room_of(customer: AsyncInteractorClient) -> str:
    """The id of the customer's room. The first visit creates it and the assistant, even if several arrive at once."""
    bot = await customer.assistants.ensure(
        name="Support Bot",
        model="gpt-4",
        system_prompt="You help the customers of a shop.",
        tools=tools,
    )
    rooms = await customer.rooms.list(assistant_id=bot.id, per_page=1)
    if rooms.data:
        return rooms.data[0].id
    for number in range(100):
        once = customer.with_options(idempotency_key=f"room-{number}-of-{bot.id}")
        room = await once.rooms.create(assistant_id=bot.id)
        with suppress(NotFoundError):  # for 24 hours, a key returns the same room, even if it was deleted since
            return (await customer.rooms.get(room.id)).id
    raise RuntimeError(f"Too many rooms of {bot.id} were deleted within a day.")


async def main() -> None:
    async with get_async_client() as client:
        for name in ("alice", "bob"):
            customer = client.namespace(f"user_{name}")
            async with customer.chat(await room_of(customer), sys.argv[1], tools=tools) as reply:
                print(f"{name}: {(await reply.message()).content}")


if __name__ == "__main__":
    asyncio.run(main())
