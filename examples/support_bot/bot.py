"""The assistant of each customer, and a room to talk to it."""

import asyncio
import sys

from interactor_ext import AsyncInteractorClient, get_async_client
from orders import tools


async def room_of(customer: AsyncInteractorClient) -> str:
    """The id of the customer's room, which is made at the first visit."""
    rooms = await customer.rooms.list(per_page=1)
    if rooms.data:
        return rooms.data[0].id
    bot = await customer.assistants.create(
        name="Support Bot",
        model="gpt-4",
        system_prompt="You help the customers of a shop.",
        tools=[tool.id for tool in await tools.register(customer)],
    )
    return (await customer.rooms.create(assistant_id=bot.id)).id


async def main() -> None:
    async with get_async_client() as client:
        for name in ("alice", "bob"):
            customer = client.namespace(f"user_{name}")
            async with customer.chat(await room_of(customer), sys.argv[1], tools=tools) as reply:
                print(f"{name}: {(await reply.message()).content}")


if __name__ == "__main__":
    asyncio.run(main())
