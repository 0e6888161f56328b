"""`python manage.py interactor_webhooks`: the worker of a router's queue, and its dead letters."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from interactor_ext._engine.errors import ConfigurationError
from interactor_ext._engine.redaction import clean_text, escape_controls
from interactor_ext.webhooks.django import HandlerScope
from interactor_ext.webhooks.queue._contract import DeadLetter
from interactor_ext.webhooks.worker._dead_letters import chosen, how_many, letters_of, summary
from interactor_ext.webhooks.worker._loading import load_queue_worker, load_router, load_worker
from interactor_ext.webhooks.worker._process import DESCRIPTION, EPILOG, FORMATTER, ROUTER, add_options, work
from interactor_ext.webhooks.worker._worker import QueueLoop, WebhookWorker


class Command(BaseCommand):
    help = "Runs the handlers of queued webhook events; lists and replays events whose handlers failed for good."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        worker, _, _, replay = (
            commands.add_parser(name, help=what, description=what, epilog=epilog, formatter_class=FORMATTER)
            for name, what, epilog in (
                ("work", DESCRIPTION, EPILOG),
                ("check", "Checks what the first delivery needs, like `router.check()`.", None),
                ("dead", "Lists dead letters, oldest first.", None),
                ("replay", "Queues dead letters again, with all attempts.", None),
            )
        )
        for each in commands.choices.values():
            each.add_argument("router", metavar="module:name", help=ROUTER)
        add_options(worker)
        replay.add_argument("keys", nargs="*", metavar="key", help="a key that `dead` lists")
        replay.add_argument("--all", action="store_true", help="all dead letters of this router")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            if options["command"] == "check":
                load_router(options["router"]).check()
                self.stdout.write("Ready.")
                return
            if options["command"] == "work":
                self._work(load_worker(options["router"]), options)
                return
            worker = load_queue_worker(options["router"])
            if options["command"] == "dead":
                self._list(letters_of(worker))
            else:
                self._replay(worker, chosen(worker, options["keys"], options["all"]))
        except ConfigurationError as error:
            raise CommandError(escape_controls(str(error))) from error

    def _work(self, worker: QueueLoop, options: dict[str, Any]) -> None:
        if worker.router.around is None:
            worker.router.around = HandlerScope
        if status := work(worker, options):
            sys.exit(status)

    def _list(self, letters: list[DeadLetter]) -> None:
        for letter in letters:
            about = summary(letter)
            kind = about["event"] or "unreadable"
            line = f"{letter.key} {kind}, {letter.attempts} attempts, {about['failed_at']}"
            self.stdout.write(f"{escape_controls(line)}\n  {clean_text(letter.error)}")
        self.stdout.write(f"{how_many(len(letters))}.")

    def _replay(self, worker: WebhookWorker, letters: list[DeadLetter]) -> None:
        # False: another process was faster.
        replayed = sum(worker.queue.replay(letter.key) for letter in letters)
        self.stdout.write(f"{how_many(replayed)} replayed.")
