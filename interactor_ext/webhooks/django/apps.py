"""The Django app: `"interactor_ext.webhooks.django"` in INSTALLED_APPS. The views don't need it."""

from __future__ import annotations

from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "interactor_ext.webhooks.django"
    label = "interactor_webhooks"
