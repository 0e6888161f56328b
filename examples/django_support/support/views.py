"""The pages of the site."""

import logging
from typing import Any

from django import forms
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import UserCreationForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse, reverse_lazy
from django.views.generic import FormView

from interactor_ext import InteractorError
from support.models import Ticket
from support.platform import customer, open_room

logger = logging.getLogger(__name__)


class Question(forms.ModelForm):
    class Meta:
        model = Ticket
        fields = ("question",)


@login_required
def tickets(request: HttpRequest) -> HttpResponse:
    """Show the customer's questions, and take a new one. The answer comes by webhook, so nobody waits for it."""
    form = Question(request.POST or None, instance=Ticket(owner=request.user))
    if form.is_valid():
        ticket = form.save(commit=False)
        tenant = customer(request.user)
        try:
            ticket.room_id = open_room(tenant, request.build_absolute_uri(reverse("webhook")))
            ticket.save()  # before the message is sent, so that the webhook finds it
            tenant.messages.send(ticket.room_id, content=ticket.question, stream=True)
        except InteractorError:
            logger.exception("a question could not be sent")
            form.add_error(None, "Please try again later.")
        else:
            return redirect("tickets")
    mine = Ticket.objects.filter(owner=request.user.pk)
    return render(request, "tickets.html", {"form": form, "tickets": mine})


class SignUp(FormView):
    form_class = UserCreationForm
    template_name = "form.html"
    success_url = reverse_lazy("tickets")

    def form_valid(self, form: Any) -> HttpResponse:
        login(self.request, form.save())
        return super().form_valid(form)
