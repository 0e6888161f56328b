from django.urls import include, path

from interactor_ext.relay.django import relay_view
from interactor_ext.webhooks.django import webhook_view
from shop import chat, webhooks

urlpatterns = [
    path("", chat.page),
    path("accounts/", include("django.contrib.auth.urls")),
    path("interactor/<path:path>", relay_view(chat.relay)),
    path("webhooks/interactor", webhook_view(webhooks.router)),
]
