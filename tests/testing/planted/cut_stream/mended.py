"""Answers on a terminal, word by word, and kept as a transcript."""

from collections.abc import Callable

from interactor_client.models import MessageComplete, MessageDelta
from interactor_ext import get_client


def ask(customer: str, question: str, show: Callable[[str], object] = print) -> str:
    """The whole answer; `show` gets each word of it."""
    user = get_client().namespace(customer)
    bot = user.assistants.ensure(name="Librarian", model="gpt-4", system_prompt="You know all books.")
    room = user.rooms.create(assistant_id=bot.id)
    words: list[str] = []
    with user.rooms.stream(room.id) as stream:
        user.messages.send(room.id, question, stream=True)
        for event in stream:
            match event:
                case MessageDelta(content=text):
                    words.append(text)
                    show(text)
                case MessageComplete():
                    break
    return "".join(words)
