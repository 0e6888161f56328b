import pytest

import app
from interactor_ext import get_client
from interactor_ext.sandbox import Sandbox


@pytest.fixture(autouse=True)
def start(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a start of the application."""
    monkeypatch.setattr(app, "token", None, raising=False)


def test_numbers_of_a_new_customer_are_zero(interactor_sandbox: Sandbox) -> None:
    assert app.numbers("user_alice") == {"assistants": 0, "rooms": 0}


def test_screen_shows_a_new_room(interactor_sandbox: Sandbox) -> None:
    app.numbers("user_alice")
    user = get_client().namespace("user_alice")
    bot = user.assistants.create(name="Desk", model="gpt-4", system_prompt="You help.")
    user.rooms.create(assistant_id=bot.id)
    assert app.numbers("user_alice") == {"assistants": 1, "rooms": 1}
