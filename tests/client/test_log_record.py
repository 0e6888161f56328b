"""Records copied from models are those that `logging` makes."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from interactor_ext.logs._log_record import Records

ARGS = ("GET", 200)
TIMES = ("created", "msecs", "relativeCreated")


@pytest.fixture
def records() -> Records:
    """With a model of each level, made in this thread and outside of any task."""
    made = Records("interactor")
    for level in (logging.INFO, logging.WARNING):
        made.make(level, "before", ())
    return made


def fields_of_both(records: Records, level: int = logging.INFO) -> tuple[dict[str, Any], dict[str, Any]]:
    ours = records.make(level, "%s: %s", ARGS)
    theirs = logging.getLogRecordFactory()("interactor", level, "interactor", 0, "%s: %s", ARGS, None)
    return vars(ours), vars(theirs)


def without_times(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in TIMES}


def assert_alike(both: tuple[dict[str, Any], dict[str, Any]]) -> None:
    ours, theirs = both
    assert without_times(ours) == without_times(theirs)
    assert 0 <= theirs["created"] - ours["created"] < 5
    assert ours["msecs"] == int(ours["created"] * 1000) % 1000
    assert ours["relativeCreated"] - theirs["relativeCreated"] == pytest.approx(
        (ours["created"] - theirs["created"]) * 1000, abs=0.01
    )


@pytest.mark.parametrize("level", [logging.INFO, logging.WARNING, 21])
def test_a_record_is_as_logging_makes_it(records: Records, level: int) -> None:
    assert_alike(fields_of_both(records, level))
    record = records.make(level, "%s: %s", ARGS)
    assert type(record) is logging.LogRecord
    assert record.getMessage() == "GET: 200"


def test_no_record_shares_what_it_holds_with_another(records: Records) -> None:
    first = records.make(logging.INFO, "first", ())
    first.mine = True
    first.exc_text = "text"
    second = records.make(logging.INFO, "second", ())
    assert not hasattr(second, "mine")
    assert second.exc_text is None
    assert (first.msg, second.msg) == ("first", "second")


def test_a_record_names_its_thread(records: Records) -> None:
    with ThreadPoolExecutor(1, thread_name_prefix="another") as pool:
        both = pool.submit(fields_of_both, records).result()
    assert_alike(both)
    assert both[0]["threadName"] == "another_0"
    assert both[0]["thread"] != threading.get_ident()


def test_a_record_names_its_task(records: Records) -> None:
    async def both() -> tuple[dict[str, Any], dict[str, Any]]:
        return fields_of_both(records)

    async def main() -> tuple[dict[str, Any], dict[str, Any]]:
        return await asyncio.create_task(both(), name="the task")

    assert_alike(asyncio.run(main()))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only POSIX forks")
def test_a_record_names_its_process(records: Records) -> None:
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    child = context.Process(target=lambda: queue.put(fields_of_both(records)), name="the child")
    child.start()
    both = queue.get()
    child.join()
    assert_alike(both)
    assert (both[0]["process"], both[0]["processName"]) == (child.pid, "the child")


@pytest.mark.parametrize("switch", ["logThreads", "logProcesses", "logMultiprocessing", "logAsyncioTasks"])
def test_what_the_application_switches_off_is_left_out(switch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, switch, False, raising=False)
    both = fields_of_both(Records("interactor"))
    assert_alike(both)


def change_level_name(monkeypatch: pytest.MonkeyPatch) -> None:
    name = logging.getLevelName(logging.INFO)
    monkeypatch.setattr(logging, "_levelToName", {**logging._levelToName, logging.INFO: "Info"})
    assert logging.getLevelName(logging.INFO) != name


def change_process_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiprocessing.current_process(), "_name", "renamed")


@pytest.mark.parametrize("seconds", [1.5, -1.5])
@pytest.mark.parametrize("change", [change_level_name, change_process_name])
def test_what_is_changed_is_seen_a_second_later(
    records: Records, change: Callable[[pytest.MonkeyPatch], None], seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(monkeypatch)
    now = time.time() + seconds
    monkeypatch.setattr(time, "time", lambda: now)
    ours, theirs = fields_of_both(records)
    assert without_times(ours) == without_times(theirs)


def test_an_application_may_make_its_records_itself(records: Records) -> None:
    class Own(logging.LogRecord):
        pass

    usual = logging.getLogRecordFactory()
    logging.setLogRecordFactory(Own)
    try:
        record = records.make(logging.INFO, "%s: %s", ARGS)
        assert type(record) is Own
        assert_alike(fields_of_both(records))
    finally:
        logging.setLogRecordFactory(usual)
    assert record.getMessage() == "GET: 200"
