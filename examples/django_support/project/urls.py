"""The addresses of the site."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from interactor_ext.webhooks.django import webhook_view
from support import views
from support.webhooks import router

urlpatterns = [
    path("", views.tickets, name="tickets"),
    path("sign-up/", views.SignUp.as_view(), name="sign_up"),
    path("log-in/", LoginView.as_view(template_name="form.html"), name="log_in"),
    path("log-out/", LogoutView.as_view(), name="log_out"),
    path("webhooks/interactor", webhook_view(router), name="webhook"),
]
