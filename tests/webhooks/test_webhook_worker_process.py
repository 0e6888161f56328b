"""`python -m interactor_ext.webhooks.worker` in real processes: signals, exit status, handlers that hang, probes."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from interactor_ext.webhooks import SQLiteEventQueue, WebhookWorker
from interactor_ext.webhooks.worker._process import add_options
from tests.support.pages import DOCS, blocks
from tests.support.sqs_server import moto_server, sqs_client
from tests.support.waiting import PATIENCE, eventually
from tests.support.webhook_deliveries import body_of
from tests.support.webhook_routers import Failing, make

if sys.platform == "win32":
    pytest.skip("processes are ended by SIGTERM", allow_module_level=True)

pytest_plugins = ["tests.support.webhook_fixtures"]

Work = Callable[..., tuple[int, str]]
ROOT = Path(__file__).parents[2]
WORKER = "interactor_ext.webhooks.worker"
PAGE = DOCS / "how-to" / "webhook-worker.md"
# Its handlers run until a file with the name of the event's key is there.
PROGRAM = """
import asyncio, os, pathlib, sys, time
from interactor_ext.webhooks import SQLiteEventQueue, WebhookRouter, WebhookVerifier, WebhookWorker
from tests.support.webhook_deliveries import SECRET

HERE = pathlib.Path(__file__).parent


class Queue(SQLiteEventQueue):
    def take(self, *wanted):
        if (HERE / "gone").exists():
            raise OSError("the disk is gone")
        return super().take(*wanted)


router = WebhookRouter(WebhookVerifier(SECRET), queue=Queue(HERE / "queue.db"), name="shop")


def note(what, event):
    with open(HERE / "runs", "a") as file:
        file.write(f"{what} {event.idempotency_key} {os.getpid()}\\n")


@router.on("room.message.created")
def handle(event):
    note("began", event)
    while not (HERE / event.idempotency_key).exists():
        time.sleep(0.002)
    note("ended", event)


@router.on("workflow.instance.halted")
async def ahandle(event):
    note("began", event)
    try:
        while not (HERE / event.idempotency_key).exists():
            await asyncio.sleep(0.002)
    except asyncio.CancelledError:
        note("cancelled", event)
        raise
    note("ended", event)


@router.on("custom.blocks")
async def blocks(event):
    time.sleep(3600)
"""
# Its worker takes the events of SQS.
ON_SQS = """
import boto3
from interactor_ext.webhooks import SQLiteEventStore
from interactor_ext.webhooks.sqs import SQSWorker

client = boto3.client("sqs", "us-east-1", endpoint_url={!r}, aws_access_key_id="test", aws_secret_access_key="test")
router = WebhookRouter(WebhookVerifier(SECRET), SQLiteEventStore(HERE / "store.db"), name="shop")
router.on("*")(handle)
worker = SQSWorker(client, client.get_queue_url(QueueName="events")["QueueUrl"], router)
"""
# Its handler waits for a child that runs until it is told to end.
FORKS = """
import multiprocessing, signal


def work(connection):
    connection.send("running")
    time.sleep(3600)


@router.on("custom.forks")
def forks(event):
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    child = context.Process(target=work, args=(theirs,), daemon=True)
    child.start()
    assert ours.recv() == "running"
    os.kill(child.pid, signal.SIGINT)
    child.terminate()
    child.join()
    note(f"ended with {child.exitcode}", event)
"""


class Shop:
    """A folder with the program, its queue, and the worker processes that a test starts there."""

    def __init__(self, folder: Path, queue: SQLiteEventQueue) -> None:
        self.folder, self.queue = folder, queue
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *options: str, command: str = WORKER, more: str = "", name: str = "router") -> int:
        """The number of a new worker process that takes events."""
        (self.folder / "shop.py").write_text(PROGRAM + more)
        verb = [] if command == WORKER else ["webhooks", "work"]
        number = len(self.processes)
        with open(self.folder / f"log{number}", "wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", command, *verb, f"shop:{name}", *options],
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stderr=log,
            )
        self.processes.append(process)
        self.has_logged("is ready", number)
        return number

    def log(self, number: int = 0) -> str:
        return (self.folder / f"log{number}").read_text()

    def has_logged(self, text: str, number: int = 0) -> None:
        process = self.processes[number]
        eventually(lambda: text in self.log(number) or process.poll() is not None, f"{text!r} in the log")
        assert text in self.log(number)

    def put(self, key: str, event: str = "room.message.created") -> None:
        assert self.queue.put(f"shop:{key}", body_of(event, key))

    def release(self, key: str) -> None:
        (self.folder / key).touch()

    def runs(self) -> list[str]:
        file = self.folder / "runs"
        return [line.rpartition(" ")[0] for line in file.read_text().splitlines()] if file.exists() else []

    def has_run(self, run: str, times: int = 1) -> None:
        eventually(lambda: self.runs().count(run) == times, f"{run!r}, {times} times")

    def send(self, number: int, which: signal.Signals = signal.SIGTERM) -> None:
        self.processes[number].send_signal(which)

    def status(self, number: int = 0) -> int:
        return self.processes[number].wait(PATIENCE)


@pytest.fixture
def shop(tmp_path: Path, queue: SQLiteEventQueue) -> Iterator[Shop]:
    shop = Shop(tmp_path, queue)
    yield shop
    for process in shop.processes:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("command", "which", "event"),
    [
        (WORKER, signal.SIGTERM, "room.message.created"),
        ("interactor_ext.cli", signal.SIGINT, "workflow.instance.halted"),
    ],
)
def test_signal_during_handler_lets_it_finish_takes_no_more_and_exits_0(
    shop: Shop, command: str, which: signal.Signals, event: str
) -> None:
    if command != WORKER:
        pytest.importorskip("typer", reason="pip install typer rich")
    shop.start("--concurrency", "1", "--grace", str(PATIENCE), command=command)
    shop.put("k1", event)
    shop.has_run("began k1")
    shop.put("k2", event)
    shop.send(0, which)
    shop.has_logged("takes no more events")
    shop.release("k1")
    assert shop.status() == 0
    assert shop.runs() == ["began k1", "ended k1"]
    left = shop.queue.take("another worker", 60)
    assert left is not None
    assert (left.key, left.attempt) == ("shop:k2", 1)
    assert shop.queue.take("another worker", 60) is None


@pytest.mark.full
def test_event_that_outlasts_grace_is_taken_by_another_worker_before_its_lease_ends(shop: Shop) -> None:
    first = shop.start("--grace", "0")
    shop.put("k1")
    shop.has_run("began k1")
    second = shop.start()
    shop.send(first)
    # The lease is 300 s, and a test waits for `PATIENCE`.
    shop.has_run("began k1", times=2)
    assert shop.status(first) == 3
    assert "'shop:k1' goes back into the queue unfinished" in shop.log(first)
    shop.release("k1")
    shop.has_run("ended k1")
    shop.send(second)
    assert shop.status(second) == 0
    assert shop.queue.take("another worker", 60) is None


@pytest.mark.full
def test_second_signal_gives_back_all_that_runs_without_counting_the_attempt(shop: Shop) -> None:
    shop.start("--grace", "86400")
    for key, event in (("k1", "room.message.created"), ("k2", "workflow.instance.halted")):
        shop.put(key, event)
        shop.has_run(f"began {key}")
    shop.send(0)
    shop.has_logged("takes no more events")
    shop.send(0, signal.SIGINT)
    assert shop.status() == 3
    taken = [shop.queue.take("another worker", 60) for _ in range(2)]
    assert sorted((each.key, each.attempt) for each in taken if each) == [("shop:k1", 1), ("shop:k2", 1)]


@pytest.mark.full
def test_third_signal_ends_a_process_whose_queue_hangs(shop: Shop) -> None:
    shop.start(more="\nQueue.put_back = lambda *_: ((HERE / 'hangs').touch(), time.sleep(3600))\n")
    shop.put("k1")
    shop.has_run("began k1")
    shop.send(0, signal.SIGINT)
    shop.has_logged("takes no more events")
    shop.send(0, signal.SIGINT)
    eventually((shop.folder / "hangs").exists)
    shop.send(0, signal.SIGINT)
    assert shop.status() == -signal.SIGINT


@pytest.mark.full
@pytest.mark.parametrize("ends_in_time", [True, False], ids=["handler ends", "handler outlasts the grace"])
def test_signal_lets_the_worker_of_sqs_end_its_handler_or_give_the_event_back(shop: Shop, ends_in_time: bool) -> None:
    with moto_server() as server, sqs_client(server) as client:
        url = client.get_queue_url(QueueName="events")["QueueUrl"]

        def received() -> tuple[str, str]:
            [message] = client.receive_message(QueueUrl=url, AttributeNames=["All"], WaitTimeSeconds=20)["Messages"]
            return message["Body"], message["Attributes"]["ApproximateReceiveCount"]

        client.send_message(QueueUrl=url, MessageBody=body_of(key="k1").decode())
        grace = str(PATIENCE if ends_in_time else 0.1)
        shop.start("--concurrency", "1", "--grace", grace, more=ON_SQS.format(server), name="worker")
        shop.has_run("began k1")
        if ends_in_time:
            client.send_message(QueueUrl=url, MessageBody=body_of(key="k2").decode())
        shop.send(0)
        shop.has_logged("takes no more events")
        if ends_in_time:
            shop.release("k1")
        assert shop.status() == (0 if ends_in_time else 3)
        assert shop.runs() == (["began k1", "ended k1"] if ends_in_time else ["began k1"])
        assert received() == (body_of(key="k2" if ends_in_time else "k1").decode(), "1")


@pytest.mark.full
@pytest.mark.parametrize("event", ["room.message.created", "custom.blocks"], ids=["sync", "async that blocks its loop"])
def test_worker_with_too_many_hanging_handlers_exits_4(shop: Shop, event: str) -> None:
    limits = "\nrouter.handler_timeout = 0.5\nworker = WebhookWorker(router, retry_delays=())"
    most = "\nimport interactor_ext.webhooks.worker._process as process\nprocess._MAX_HANGING = 2"
    shop.start("--concurrency", "1", more=limits + most, name="worker")
    # More than two, since one whose thread does not begin in time hangs nowhere.
    keys = [f"shop:k{number}" for number in range(8)]
    for key in keys:
        shop.put(key.removeprefix("shop:"), event)
    assert shop.status() == 4
    assert re.search("[2-8] webhook handlers hang", shop.log())
    dead = {letter.key for letter in shop.queue.dead_letters()}
    assert len(dead) >= 2
    assert dead <= set(keys)


# How the page has each start the worker, and how many seconds it has to end.
MANAGERS = {
    "systemd": (r"^ExecStart=(.+)$", r"^TimeoutStopSec=(\d+)$"),
    "Docker": (r"`CMD \[(.+?)\]`", r"`docker stop -t (\d+)`"),
    "Kubernetes": (r"`(--metrics-host .+?)`", r"`terminationGracePeriodSeconds: (\d+)`"),
}


@pytest.mark.full
@pytest.mark.parametrize("manager", MANAGERS)
def test_command_of_a_service_manager_ends_by_its_signal_in_the_time_that_it_has(shop: Shop, manager: str) -> None:
    pytest.importorskip("typer", reason="pip install typer rich")
    programs = Path(sys.executable).parent
    page = PAGE.read_text().replace("/srv/shop/.venv/bin", str(programs)).replace("/srv/shop", str(shop.folder))
    [command], [seconds] = (re.findall(pattern, page, re.MULTILINE) for pattern in MANAGERS[manager])
    words = shlex.split(command.replace(",", ""))
    if manager == "Kubernetes":
        words = ["interactor", "webhooks", "work", "shop.webhooks:router", *words, "--metrics-port", "0"]
    (shop.folder / "shop").mkdir()
    (shop.folder / "program.py").write_text(PROGRAM)
    (shop.folder / "shop" / "webhooks.py").write_text("from program import router\n")
    path = os.pathsep.join([str(programs), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": os.pathsep.join([str(ROOT), str(shop.folder)])}
    shop.put("k1")
    with open(shop.folder / "log0", "wb") as log:
        shop.processes.append(subprocess.Popen(words, cwd=shop.folder, env=environment, stderr=log))
    shop.has_run("began k1")
    if manager == "Kubernetes":
        for probe in ("healthz", "livez"):
            assert httpx.get(f"{url_of(shop)}/{probe}", timeout=PATIENCE).status_code == 200
    shop.send(0)
    shop.has_logged("takes no more events")
    shop.release("k1")
    assert shop.status() == 0
    options = argparse.ArgumentParser()
    add_options(options)
    assert options.parse_known_args(words)[0].grace < int(seconds)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze (Debian package systemd)")
def test_unit_of_the_page_is_valid(tmp_path: Path) -> None:
    [unit] = [block.code for block in blocks(PAGE) if block.title == "shop-worker.service"]
    unit = unit.replace("/srv/shop/.venv/bin/interactor", "/bin/sh").replace("/srv/shop", str(tmp_path))
    (tmp_path / "shop-worker.service").write_text(unit)
    done = subprocess.run(["systemd-analyze", "verify", tmp_path / "shop-worker.service"], stderr=subprocess.PIPE)
    assert done.returncode == 0
    assert b"shop-worker" not in done.stderr


def url_of(shop: Shop) -> str:
    shop.has_logged("/healthz")
    [url] = re.findall(r"(http://\S+)/healthz", shop.log())
    return str(url)


def test_metrics_port_serves_health_and_metrics(shop: Shop) -> None:
    pytest.importorskip("prometheus_client")
    shop.put("k1")
    more = """
from interactor_ext.telemetry import PrometheusTelemetry
watched = WebhookRouter(WebhookVerifier(SECRET), queue=router.queue, name="shop", telemetry=PrometheusTelemetry())
watched.on("*")(handle)
"""
    shop.start("--metrics-port", "0", "--grace", str(PATIENCE), more=more, name="watched")
    shop.has_run("began k1")
    with httpx.Client(base_url=url_of(shop), timeout=PATIENCE) as client:
        health = client.get("/healthz")
        assert (health.status_code, health.json()) == (200, {"status": "ok", "running": 1, "left_behind": 0})
        metrics = client.get("/metrics")
        assert metrics.headers["Content-Type"].startswith("text/plain")
        assert "process_start_time_seconds" in metrics.text
        waiting = 'interactor_webhook_queue_events{service="shop",state="waiting"} 1.0\n'
        eventually(lambda: waiting in client.get("/metrics").text, "the length of the queue")
        assert client.get("/other").status_code == 404
        (shop.folder / "gone").touch()
        eventually(lambda: client.get("/healthz").status_code == 503, "503")
        assert client.get("/healthz").json()["status"] == "queue_unreachable"
        assert client.get("/livez").status_code == 200  # a restart would not bring the queue back
        shop.send(0)
        eventually(lambda: client.get("/healthz").json()["status"] == "stopping", "stopping")
        assert client.get("/healthz").status_code == 200
    shop.release("k1")
    assert shop.status() == 0


def test_metrics_without_prometheus_client_name_the_extra(shop: Shop) -> None:
    shop.start("--metrics-port", "0", more="\nsys.modules['prometheus_client'] = None")
    url = url_of(shop)
    answer = httpx.get(f"{url}/metrics", timeout=PATIENCE)
    assert answer.status_code == 404
    assert "pip install 'interactor-sdk[prometheus]'" in answer.text
    assert httpx.get(f"{url}/healthz", timeout=PATIENCE).status_code == 200


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Work]:
    """The exit status and the errors of the command that works on a name, in a folder of its own."""
    pytest.importorskip("typer", reason="pip install typer rich")
    from interactor_ext.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "odd_shop.py").write_text(
        "from interactor_ext.webhooks import SQLiteEventStore, sqs\nfrom tests.support.webhook_routers import make\n"
        "alone, shared = make(), make(SQLiteEventStore(':memory:'))\non_sqs = sqs.SQSWorker(None, 'url', shared)\n"
    )
    yield lambda *arguments, verb="work": (main(["webhooks", *verb.split(), *arguments]), capsys.readouterr().err)
    sys.modules.pop("odd_shop", None)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("odd_shop", "doesn't name a router"),
        ("odd_shop:", "doesn't name a router"),
        (".odd_shop:router", "doesn't name a router"),
        ("no_shop:router", "no module 'no_shop'"),
        ("odd_shop:other", "no 'other'"),
        ("odd_shop:make", "must be a WebhookRouter or a worker"),
        ("odd_shop:alone", "queue="),
    ],
)
def test_name_that_is_no_router_is_one_clear_error_and_exit_1(work: Work, name: str, said: str) -> None:
    status, errors = work(name)
    assert status == 1
    assert said in errors


def test_dead_letters_of_sqs_are_an_error_that_says_where_they_are(work: Work) -> None:
    status, errors = work("odd_shop:on_sqs", verb="dead list")
    assert status == 1
    assert "'odd_shop:on_sqs' uses SQS, which keeps dead letters in a separate queue" in errors


@pytest.mark.parametrize(
    "options", [["--concurrency", "0"], ["--grace", "-1"], ["--grace", "nan"], ["--metrics-port", "70000"]]
)
def test_option_out_of_range_exits_2(work: Work, options: list[str]) -> None:
    assert work("shop:router", *options)[0] == 2


def test_missing_import_of_the_users_module_is_raised_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "broken_shop.py").write_text("import no_such_dependency\n")
    command = [sys.executable, "-m", WORKER, "broken_shop:router"]
    done = subprocess.run(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE)
    assert done.stderr.splitlines()[-1] == b"ModuleNotFoundError: No module named 'no_such_dependency'"


def test_worker_takes_handler_timeout_of_its_router(queue: SQLiteEventQueue) -> None:
    release = threading.Event()
    router = make(queue=queue, handler_timeout=0.05)
    router.on("*")(lambda event: release.wait(PATIENCE))
    queue.put("shop:k1", body_of(key="k1"))
    assert WebhookWorker(router, retry_delays=()).run_once()
    release.set()
    assert [letter.key for letter in queue.dead_letters()] == ["shop:k1"]


@pytest.mark.full
def test_child_that_a_handler_forks_is_ended_by_sigterm_and_goes_on_after_ctrl_c(shop: Shop) -> None:
    shop.start(more=FORKS)
    shop.put("k1", "custom.forks")
    shop.has_run(f"ended with {-signal.SIGTERM} k1")
    shop.send(0)
    assert shop.status() == 0


def test_give_back_without_queue_is_logged(queue: SQLiteEventQueue, caplog: pytest.LogCaptureFixture) -> None:
    router = make(queue=Failing(queue, put_back=1))
    worker = WebhookWorker(router)
    router.on("*")(lambda event: worker.give_back())
    queue.put("shop:k1", body_of(key="k1"))
    assert worker.run_once()
    assert "couldn't be put back" in caplog.text


@pytest.mark.parametrize("takes_from", ["before", "after"])
def test_thread_that_is_taking_an_event_keeps_none_from_give_back_on(queue: SQLiteEventQueue, takes_from: str) -> None:
    """It takes the event just given back, or has taken another before, which it doesn't know yet."""
    began: list[str] = []
    is_running, is_taking, given_back, took, release = [threading.Event() for _ in range(5)]

    class Slow:
        def __getattr__(self, name: str) -> Any:
            return getattr(queue, name)

        def take(self, *args: Any) -> Any:
            if not began:
                return queue.take(*args)
            taken = queue.take(*args) if takes_from == "after" else None
            is_taking.set()
            assert given_back.wait(PATIENCE)
            taken = taken or queue.take(*args)
            took.set()
            return taken

        def put_back(self, *args: Any) -> bool:
            done = queue.put_back(*args)
            given_back.set()
            return took.wait(PATIENCE) and done

    def handle(event: Any) -> None:
        began.append(event.id)
        is_running.set()
        assert release.wait(PATIENCE)

    router = make(queue=Slow())
    router.on("*")(handle)
    worker, stop = WebhookWorker(router), threading.Event()
    keys = ["shop:k1", "shop:k2"][: 1 if takes_from == "before" else 2]
    for key in keys:
        queue.put(key, body_of(key=key))
    threads = [threading.Thread(target=worker.run, args=(stop,)) for _ in range(2)]
    threads[0].start()
    assert is_running.wait(PATIENCE)
    threads[1].start()
    assert is_taking.wait(PATIENCE)
    stop.set()
    worker.give_back()
    taken = [queue.take("another worker", 60) for _ in keys]
    assert not worker.run_once()
    release.set()
    for thread in threads:
        thread.join()
    assert sorted((each.key, each.attempt) for each in taken if each) == [(key, 1) for key in keys]
    assert len(began) == 1


def test_worker_interrupted_while_it_takes_an_event_gives_it_back(queue: SQLiteEventQueue) -> None:
    interrupted, taken = threading.Event(), threading.Event()

    class Slow:
        def __getattr__(self, name: str) -> Any:
            return getattr(queue, name)

        def take(self, *args: Any) -> Any:
            found = queue.take(*args)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            assert interrupted.wait(PATIENCE)
            return found

        def put_back(self, *args: Any) -> bool:
            put_back = queue.put_back(*args)
            taken.set()
            return put_back

    router = make(queue=Slow())
    router.on("*")(lambda event: None)
    queue.put("shop:k1", body_of(key="k1"))
    worker = WebhookWorker(router)
    with pytest.raises(KeyboardInterrupt):
        worker.run_once()
    interrupted.set()
    assert taken.wait(PATIENCE)
    again = queue.take("another worker", 60)
    assert again is not None
    assert (again.attempt, worker.running) == (1, 0)
