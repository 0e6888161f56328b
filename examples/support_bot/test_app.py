"""Each customer chats in a room of their own."""

import re

from fastapi.testclient import TestClient

from app import app
from interactor_ext.sandbox import Sandbox

HOST = "http://localhost"


def test_customer_chats_on_the_page(interactor_sandbox: Sandbox) -> None:
    with TestClient(app, base_url=HOST, headers={"origin": HOST}) as browser:
        assert "Sign in as Alice" in browser.get("/").text
        messages = f"/interactor/rooms/{room_on(browser.post('/sign-in/alice').text)}/messages"
        assert browser.post(messages, json={"content": "Hello!"}).status_code == 201
        assert browser.get(messages).json()["data"][0]["content"] == "Hello!"


def test_nobody_else_reads_it(interactor_sandbox: Sandbox) -> None:
    with TestClient(app, base_url=HOST, headers={"origin": HOST}) as browser:
        messages = f"/interactor/rooms/{room_on(browser.post('/sign-in/alice').text)}/messages"
        browser.post("/sign-out")
        assert browser.get(messages).status_code == 401
        browser.post("/sign-in/bob")
        assert browser.get(messages).status_code == 404


def room_on(page: str) -> str:
    found = re.search('room="(.+?)"', page)
    assert found is not None
    return found[1]
