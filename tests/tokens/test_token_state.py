"""TokenState and token responses: validity, refresh, rejection and parsing, on a fake clock."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interactor_client.errors import DecodeError
from interactor_ext import (
    APIConnectionError,
    AuthenticationError,
    CircuitOpenError,
    CredentialExpiredError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)
from interactor_ext._interactor.tokens import read_token
from interactor_ext._interactor.tokens.state import TokenState
from interactor_ext.tokens import Token

NOW = 1_000_000.0


def token(name: str = "t1", lifetime: float = 3600, issued: float = NOW) -> Token:
    return Token(name, issued + lifetime, lifetime)


def state_with(lifetime: float, buffer: float = 60) -> TokenState:
    state = TokenState(buffer)
    state.accept(token(lifetime=lifetime))
    return state


@pytest.mark.parametrize(
    ("lifetime", "buffer", "due_after"),
    [(3600, 60, 3540), (900, 60, 840), (900, 0, 900), (100, 60, 50), (60, 60, 30), (1, 60, 0.5), (3600, 1e6, 1800)],
)
def test_token_is_due_at_the_buffer_or_at_half_its_lifetime(lifetime: float, buffer: float, due_after: float) -> None:
    state = state_with(lifetime, buffer)
    assert not state.due(NOW + due_after - 0.01)
    assert state.due(NOW + due_after)
    assert state.valid(NOW + lifetime - 0.01) is not None
    assert state.valid(NOW + lifetime) is None


def test_failed_refresh_is_not_repeated_for_five_seconds() -> None:
    state = state_with(100)
    now = NOW + 60
    assert state.due(now)
    state.failed(OSError("gone"), now)
    assert not state.due(now + 4.9)
    assert state.due(now + 5)
    state.failed(OSError("gone"), NOW + 99)
    assert state.valid(NOW + 100) is None  # a pause does not extend the expiry


def test_refusal_is_remembered_until_the_server_may_be_asked_again() -> None:
    busy = RateLimitError("busy", status=429, retry_after=60)
    refused = AuthenticationError("no", status=401)
    for error, seconds in [
        (busy, 60),
        (refused, 5),
        (PermissionDeniedError("no", status=403), 5),
        (ServerError("down", status=503, retry_after=30), 30),
        (ServerError("down", status=503), 0),
        (CredentialExpiredError("gone", status=401), 0),
        (APIConnectionError("refused"), 0),
        (CircuitOpenError("open", retry_after=15), 0),  # the breaker knows when it closes
    ]:
        state = TokenState(60)
        state.failed(error, NOW)
        for instant in (NOW, NOW + 0.999 * seconds) if seconds else ():
            with pytest.raises(type(error), match=f"^{error} .*The next request is sent in") as caught:
                state.check_refusal(instant)
            assert caught.value is not error
            assert caught.value.retry_after == pytest.approx(NOW + seconds - instant)
            state.failed(caught.value, instant)  # the same again: it lasts no longer for that
        for instant in (NOW + seconds, NOW - 3600):  # also if the clock is set back
            state.check_refusal(instant)
    state = TokenState(60)
    state.failed(busy, NOW)
    state.adopt(token("t1"), NOW + 1)  # of a store
    state.check_refusal(NOW + 2)


def test_valid_token_is_not_replaced_before_the_server_may_be_asked_again() -> None:
    state = state_with(3600)
    state.failed(RateLimitError("busy", status=429, retry_after=60), NOW + 3595)
    assert state.due_at == NOW + 3600
    state = state_with(3600)
    state.failed(RateLimitError("busy", status=429, retry_after=30), NOW + 3545)
    assert state.due_at == NOW + 3575


@pytest.mark.parametrize("later", [5, -3600], ids=["five seconds", "the clock is set back"])
def test_repeatedly_rejected_new_tokens_are_kept_for_five_seconds(later: float) -> None:
    state = state_with(3600)
    for number in range(4):
        state.reject(f"t{number + 1}", NOW)
        assert state.valid(NOW) is None
        state.accept(token(f"t{number + 2}"))
        state.replayed(refused=True, now=NOW)
    state.reject("t5", NOW + 1)
    assert state.valid(NOW + 1) == token("t5")
    state.reject("t5", NOW + later)
    assert state.valid(NOW + later) is None
    state.accept(token("t6"))
    state.replayed(refused=False, now=NOW + later + 1)
    state.reject("t6", NOW + later + 2)
    assert state.valid(NOW + later + 2) is None


def test_adopt_takes_a_stored_token_unless_due_expired_or_rejected() -> None:
    state = TokenState(60)
    assert not state.adopt(None, NOW)
    assert not state.adopt(token(lifetime=10, issued=NOW - 10), NOW)
    assert state.adopt(token("t1"), NOW)
    assert state.valid(NOW) == token("t1")
    state.reject("t1", NOW)
    assert not state.adopt(token("t1"), NOW)
    assert state.valid(NOW) is None
    # Due, but valid: used if no new one can be had.
    assert not state.adopt(token("t2"), NOW + 3590)
    assert state.valid(NOW + 3590) == token("t2")
    # An older one does not take the place of a younger one.
    state.adopt(token("t0", lifetime=3595), NOW + 3590)
    assert state.valid(NOW + 3590) == token("t2")


NO_TOKENS = [None, 7, "", "two words", "a\r\nX-Evil: 1", "caf\u00e9", "\ud800"]


@pytest.mark.parametrize(
    "body", [{}, {"data": {}}, {"data": [], "token": "x"}, *({"access_token": each} for each in NO_TOKENS)]
)
def test_token_response_without_a_token_raises_decode_error(body: dict[str, Any]) -> None:
    with pytest.raises(DecodeError) as caught:
        read_token(json.dumps(body).encode(), NOW)
    assert (caught.value.model, caught.value.field) == ("AccessToken", "access_token")
    assert ("is missing" in str(caught.value)) == (body.get("access_token") is None)
    assert "X-Evil" not in str(caught.value)
    assert "two words" not in str(caught.value)


@given(
    st.binary()
    | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(json.dumps).map(str.encode)
)
def test_any_token_response_is_a_token_or_a_decode_error(content: bytes) -> None:
    try:
        found = read_token(content, NOW)
    except DecodeError:
        return
    assert found.access_token
    assert math.isfinite(found.expires_at)
