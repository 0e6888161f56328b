"""The questions of customers."""

from django.conf import settings
from django.db import models


class Ticket(models.Model):
    """A question, and the answer of the assistant once it is there. Each has a room of its own at the platform."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    question = models.TextField()
    answer = models.TextField(blank=True)
    room_id = models.CharField(max_length=100, unique=True)

    class Meta:
        ordering = ("-id",)
