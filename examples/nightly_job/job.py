"""A nightly job: an assistant writes each customer's report of the day before.

Killed at any point, it goes on when it is run again: no message is sent twice, and no customer gets two reports.
"""

import argparse
import os
import sqlite3
import sys
from contextlib import closing
from datetime import date, timedelta

from interactor_ext import InteractorClient, InteractorError, with_retry

ORDERS = {"acme": 17, "globex": 4}  # stands for your database
DATABASE = os.environ.get("JOB_DB", "reports.db")


def report(user: InteractorClient, customer: str, day: date) -> str:
    """The text of a report. May be called any number of times for the same customer and day."""
    # A key is made of what the job works on, never by chance, so the same request has the same key after a crash, and
    # the platform returns what it created before. It remembers keys for 24 hours: run the job again within the day. A
    # key with another body is refused, so nothing in the bodies may change: the day is over.
    bot = user.assistants.ensure(name="Reporter", model="gpt-4", system_prompt="Write a short report for a shop.")
    once = user.with_options(idempotency_key=f"report-{day}-room")
    room = once.rooms.create(bot.id, metadata={"day": str(day)})
    once = user.with_options(idempotency_key=f"report-{day}-question")
    return once.messages.send(room.id, f"{customer} had {ORDERS[customer]} orders on {day}. Write the report.").content


def write_reports(client: InteractorClient, day: date) -> list[str]:
    """Write the reports that are missing. Returns the customers whose report failed."""
    failed = []
    with closing(sqlite3.connect(DATABASE)) as db:
        db.execute("CREATE TABLE IF NOT EXISTS reports (customer, day, text, PRIMARY KEY (customer, day))")
        done = {customer for (customer,) in db.execute("SELECT customer FROM reports WHERE day = ?", (str(day),))}
        for customer in ORDERS:
            if customer in done:
                continue
            # The deadline bounds each call with its retries; with_retry repeats the whole report after those.
            user = client.namespace(f"org_{customer}").with_options(deadline=60)
            try:
                text = with_retry(report, max_retries=5)(user, customer, day)
            except InteractorError as error:
                print(f"{customer}: {error}", file=sys.stderr)
                failed.append(customer)  # the others still get theirs
                continue
            with db:  # a second job at the same time has got the same text
                db.execute("INSERT OR IGNORE INTO reports VALUES (?, ?, ?)", (customer, str(day), text))
            print(f"{customer}: {text}")
    return failed


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the reports of a day.")
    yesterday = date.today() - timedelta(days=1)
    parser.add_argument("day", type=date.fromisoformat, nargs="?", default=yesterday, help="as 2026-01-31 (yesterday)")
    with InteractorClient(require_namespace=True) as client:
        if failed := write_reports(client, parser.parse_args().day):
            raise SystemExit(f"Run the job again: no report for {', '.join(failed)}.")


if __name__ == "__main__":
    main()
