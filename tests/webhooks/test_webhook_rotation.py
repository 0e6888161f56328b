"""Rotation of webhook secrets, sync and async."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from interactor_ext import ConfigurationError, WebhookError
from interactor_ext.webhooks import (
    WebhookVerifier,
    arotate_secret,
    rotate_secret,
    sign,
)
from tests.support.webhook_deliveries import OLD_SECRET, SECRET, body_of

pytest_plugins = ["tests.support.webhook_fixtures"]


class Platform:
    """A stub of `client.webhooks` for rotations."""

    def __init__(self, secret: Any = "whsec_new") -> None:
        self.secret = secret
        self.rotated: list[str] = []

    def rotate_secret(self, webhook_id: str, /) -> Any:
        self.rotated.append(webhook_id)
        return self


class AsyncPlatform(Platform):
    async def rotate_secret(self, webhook_id: str, /) -> Any:
        return super().rotate_secret(webhook_id)


def rotate(mode: str, platform_secret: Any, verifier: WebhookVerifier, hand_over: Callable[[str], object]) -> Any:
    if mode == "sync":
        return rotate_secret(Platform(platform_secret), "wh_1", verifier=verifier, hand_over=hand_over)

    async def ahand_over(secret: str) -> None:
        hand_over(secret)

    return asyncio.run(arotate_secret(AsyncPlatform(platform_secret), "wh_1", verifier=verifier, hand_over=ahand_over))


def verifies(verifier: WebhookVerifier, secret: str) -> bool:
    try:
        verifier.verify(body_of(), sign(body_of(), secret))
    except WebhookError:
        return False
    return True


def test_rotation_verifies_with_old_and_new_secret_until_finish(mode: str) -> None:
    verifier, kept = WebhookVerifier(OLD_SECRET), []
    rotation = rotate(mode, "whsec_new", verifier, kept.append)
    assert kept == ["whsec_new"]
    assert verifies(verifier, "whsec_new")
    assert verifies(verifier, OLD_SECRET)
    rotation.finish()
    assert verifies(verifier, "whsec_new")
    assert not verifies(verifier, OLD_SECRET)


def test_finish_of_rotation_keeps_secrets_of_later_rotations(mode: str) -> None:
    verifier = WebhookVerifier(OLD_SECRET)
    first = rotate(mode, "whsec_1", verifier, print)
    second = rotate(mode, "whsec_2", verifier, print)
    first.finish()
    known = ["whsec_2", "whsec_1", OLD_SECRET]
    assert [verifies(verifier, secret) for secret in known] == [True, True, False]
    first.finish()
    second.finish()
    assert [verifies(verifier, secret) for secret in known] == [True, False, False]


def test_finish_of_rotation_keeps_secret_added_again(mode: str) -> None:
    verifier = WebhookVerifier(OLD_SECRET)
    rotation = rotate(mode, "whsec_new", verifier, print)
    verifier.add_secret(OLD_SECRET)
    rotation.finish()
    assert verifies(verifier, OLD_SECRET)


def test_secret_whose_hand_over_failed_still_verifies(mode: str) -> None:
    verifier = WebhookVerifier(OLD_SECRET)

    def full(secret: str) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space") as caught:
        rotate(mode, "whsec_new", verifier, full)
    assert "Rotate again" in caught.value.__notes__[0]
    assert "whsec_new" not in caught.value.__notes__[0]
    assert verifies(verifier, "whsec_new")
    assert verifies(verifier, OLD_SECRET)


def stored(secret: str) -> Iterator[None]:
    yield


@pytest.mark.parametrize("hand_over", [stored, "vault", lambda: None])
def test_nothing_is_rotated_if_hand_over_would_lose_the_secret(hand_over: Any) -> None:
    platform = Platform()
    with pytest.raises(ConfigurationError, match="hand_over="):
        rotate_secret(platform, "wh_1", verifier=WebhookVerifier(OLD_SECRET), hand_over=hand_over)
    assert platform.rotated == []


@pytest.mark.parametrize("secret", [None, "", 7])
def test_rotation_without_secret_in_response_raises(mode: str, secret: Any) -> None:
    verifier = WebhookVerifier(OLD_SECRET)
    with pytest.raises(WebhookError, match="Rotate again"):
        rotate(mode, secret, verifier, print)
    assert verifies(verifier, OLD_SECRET)


def test_adding_known_secret_makes_it_newest() -> None:
    verifier = WebhookVerifier([OLD_SECRET, SECRET])
    verifier.add_secret(SECRET)
    verifier.forget_old_secrets()
    assert verifies(verifier, SECRET)
    assert not verifies(verifier, OLD_SECRET)
