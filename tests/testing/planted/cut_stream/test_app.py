import pytest

from app import ask
from interactor_ext.sandbox import Sandbox

ANSWER = "Ursula K. Le Guin wrote it in 1969."


@pytest.fixture
def shown(interactor_sandbox: Sandbox) -> list[str]:
    """The words that have been shown."""
    interactor_sandbox.replies.add(when="Who wrote", say=ANSWER)
    return []


def test_transcript_is_what_was_shown(shown: list[str]) -> None:
    assert ask("user_alice", "Who wrote The Left Hand of Darkness?", shown.append) == "".join(shown)


@pytest.mark.interactor_invariant
def whole_answer_is_shown(interactor_sandbox: Sandbox, shown: list[str]) -> None:
    with interactor_sandbox.client(namespace="user_alice") as user:
        (room,) = user.rooms.list().data
        answers = [each.content for each in user.messages.iterate(room.id) if each.role == "assistant"]
    assert answers == ["".join(shown)]
