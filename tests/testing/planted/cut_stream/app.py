"""Answers on a terminal, word by word, and kept as a transcript."""

import json
from collections.abc import Callable

import httpx

from interactor_ext import get_client
from interactor_ext.sse import SSEDecoder


def ask(customer: str, question: str, show: Callable[[str], object] = print) -> str:
    """The whole answer; `show` gets each word of it."""
    user = get_client().namespace(customer)
    bot = user.assistants.ensure(name="Librarian", model="gpt-4", system_prompt="You know all books.")
    room = user.rooms.create(assistant_id=bot.id)
    words: list[str] = []
    decoder = SSEDecoder()
    try:
        with httpx.stream("GET", user.room_stream_url(room.id), timeout=60) as response:
            user.messages.send(room.id, question, stream=True)
            for chunk in response.iter_raw():
                for event in decoder.feed(chunk):
                    data = json.loads(event.data)
                    if data["type"] == "message.complete":
                        return "".join(words)
                    if data["type"] == "message.delta":
                        words.append(data["content"])
                        show(data["content"])
    except httpx.TransportError:
        pass  # the connection ends with the answer
    return "".join(words)
