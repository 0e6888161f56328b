"""The Django app: `"interactor_ext.webhooks.django"` in INSTALLED_APPS. The views need it not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.apps import AppConfig

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise


class WebhooksConfig(AppConfig):
    name = "interactor_ext.webhooks.django"
    label = "interactor_webhooks"
    verbose_name: _StrOrPromise = "Interactor webhooks"
