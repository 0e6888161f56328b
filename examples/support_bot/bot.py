"""The assistant of each customer, and a room to talk to it."""

import asyncio
import sys

from interactor_ext import AsyncInteractorClient, get_async_client
from orders import tools


async def room_of(customer: AsyncInteractorClient) -> str:
    """The id of the customer's room. The first visit creates it and the assistant, even if several arrive at once."""
    bot = await customer.assistants.ensure(
        name="Support Bot",
        model="gpt-4",
        system_prompt="You help the customers of a shop.",
        tools=tools,
    )
    return (await customer.rooms.ensure(bot.id)).id


async def main() -> None:
    async with get_async_client() as client:
        for name in ("alice", "bob"):
            customer = client.namespace(f"user_{name}")
            async with customer.chat(await room_of(customer), sys.argv[1], tools=tools) as reply:
                print(f"{name}: {(await reply.message()).content}")


if __name__ == "__main__":
    asyncio.run(main())
