"""`python manage.py interactor_webhooks`: the worker of a router's queue, and its dead letters."""

from __future__ import annotations

import sys
from argparse import ArgumentDefaultsHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from interactor_ext._errors import ConfigurationError
from interactor_ext._redaction import clean_text, escape_controls
from interactor_ext.webhooks.django import HandlerScope
from interactor_ext.webhooks.worker._dead_letters import chosen, how_many, letters_of, summary
from interactor_ext.webhooks.worker._loading import load_worker
from interactor_ext.webhooks.worker._process import DESCRIPTION, EPILOG, add_options, work
from interactor_ext.webhooks.worker._worker import WebhookWorker


class Command(BaseCommand):
    help = "Runs the handlers of queued webhook events; lists and replays events whose handlers failed for good."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        worker = commands.add_parser(
            "work", help=DESCRIPTION, description=DESCRIPTION, epilog=EPILOG,
            formatter_class=ArgumentDefaultsHelpFormatter,
        )  # fmt: skip
        dead = commands.add_parser("dead", help="Lists dead letters, the oldest first.")
        replay = commands.add_parser("replay", help="Queues dead letters again, with all attempts.")
        for each in (worker, dead, replay):
            each.add_argument("router", metavar="module:name", help="where a WebhookRouter stands, or a WebhookWorker")
        add_options(worker)
        dead.add_argument("--limit", type=int, default=100, help="how many at most")
        replay.add_argument("keys", nargs="*", metavar="key", help="as `dead` shows them")
        replay.add_argument("--all", action="store_true", help="all dead letters of this router")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            worker = load_worker(options["router"])
            if options["command"] == "work":
                if worker.router.around is None:
                    worker.router.around = HandlerScope
                if status := work(worker, options):
                    sys.exit(status)
            elif options["command"] == "dead":
                self._list(worker, options["limit"])
            else:
                self._replay(worker, options["keys"], options["all"])
        except ConfigurationError as error:
            raise CommandError(escape_controls(str(error))) from error

    def _list(self, worker: WebhookWorker, limit: int) -> None:
        letters = letters_of(worker)
        for letter in letters[:limit]:
            about = summary(letter)
            self.stdout.write(
                escape_controls(
                    f"{letter.key} {about['event'] or 'unreadable'}, {letter.attempts} attempts, {about['failed_at']}\n"
                    f"  {clean_text(letter.error)}"
                )
            )
        self.stdout.write(f"{how_many(len(letters))}.")

    def _replay(self, worker: WebhookWorker, keys: list[str], every: bool) -> None:
        # False: someone else was faster.
        replayed = sum(worker.queue.replay(letter.key) for letter in chosen(worker, keys, every))
        self.stdout.write(f"{how_many(replayed)} replayed.")
