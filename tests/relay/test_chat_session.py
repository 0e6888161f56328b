"""The session of `<interactor-chat>` under Node: its decisions in `chat-session.test.mjs`."""

from __future__ import annotations

from pathlib import Path

from tests.support.node import run_tests


def test_decisions_of_a_chat_session_with_its_own_relay() -> None:
    run_tests(Path(__file__).with_name("chat-session.test.mjs"))
