"""`manage.py start` makes or updates the database, then serves at port 8000, or PORT."""

import os
from typing import Any

from django.core.management import BaseCommand, call_command


class Command(BaseCommand):
    help = "Migrate the database and run the development server."

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", verbosity=0)
        call_command("runserver", os.environ.get("PORT", "8000"))
