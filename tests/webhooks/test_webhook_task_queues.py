"""Celery, RQ and SQS with real brokers and workers that are killed: no event is lost, none is handled twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.cases import NIGHTLY
from tests.support.sqs_server import moto_server, sqs_client
from tests.support.webhook_deliveries import body_of

ROOT = Path(__file__).parents[2]
PATIENCE = 900.0
MODULE = "tests.support.webhook_tasks"
EVENTS, DELIVERIES, VICTIMS = (700, 1000, 6) if NIGHTLY else (40, 60, 2)
pytest_plugins = ["tests.support.server_fixtures"]


class Engine:
    """A broker and the worker processes of a task queue."""

    def __init__(self, kind: str, socket: str, lease: float, folder: Path, stack: ExitStack) -> None:
        from redis import Redis

        self.kind = kind
        self.redis = stack.enter_context(Redis(unix_socket_path=socket, decode_responses=True))
        self.environment = {"TASKS_REDIS": socket, "TASKS_ENGINE": kind, "TASKS_LEASE": str(lease)}
        if kind == "sqs":
            self.environment["TASKS_SQS"] = stack.enter_context(moto_server())
        self.log = stack.enter_context((folder / "workers.log").open("wb"))
        self.workers: dict[int, subprocess.Popen[bytes]] = {}
        stack.callback(self.stop)
        # A process of its own: RQ's workers would wait ten minutes before they take the place of a killed scheduler.
        code = (
            f"from rq.scheduler import RQScheduler; from {MODULE} import redis; RQScheduler(['events'], redis).work()"
        )
        self.others = [self._start("-c", code)] if kind == "rq" else []

    def receive(self, bodies: list[bytes]) -> Counter[int]:
        """In a process of its own, as receivers are."""
        code = f"""
import sys
from {MODULE} import router
from interactor_ext.webhooks import sign
from tests.support.webhook_deliveries import SECRET
for line in sys.stdin.buffer:
    body = line.rstrip(b"\\n")
    print(router.handle(body, sign(body, SECRET)).status)
"""
        done = subprocess.run(
            [sys.executable, "-c", code],
            input=b"\n".join(bodies),
            env=os.environ | self.environment,
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        return Counter(map(int, done.stdout.split()))

    def start_worker(self) -> None:
        celery = f"-m celery --quiet -A {MODULE} worker --concurrency=1 -l INFO".split()
        rq = ["-c", f"from rq import Worker; from {MODULE} import redis; Worker(['events'], connection=redis).work()"]
        worker = self._start(*{"celery": celery, "rq": rq, "sqs": ["-m", MODULE]}[self.kind])
        self.workers[worker.pid] = worker

    def kill(self, pid: int, *, with_parent: bool) -> None:
        """Kill the process that runs a handler; `with_parent`, the whole worker, and start another."""
        worker = os.getsid(pid)
        for each in [worker, pid] if with_parent else [pid]:
            os.kill(each, signal.SIGKILL)
        if with_parent or worker == pid:
            self.workers.pop(worker).wait()
            if self.kind == "rq":
                self._end_heartbeats(worker)
            self.start_worker()

    def _end_heartbeats(self, pid: int) -> None:
        """RQ misses a job when no heartbeat has come for 90 s."""
        for member in self.redis.zrange("rq:wip:events", 0, -1):
            name = self.redis.hget(f"rq:job:{member.split(':')[0]}", "worker_name")
            if self.redis.hget(f"rq:worker:{name}", "pid") == str(pid):
                self.redis.zadd("rq:wip:events", {member: 1})

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, *arguments],
            env=os.environ | self.environment,
            cwd=ROOT,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )

    def is_drained(self) -> bool:
        """Whether no message is left, duplicates and those of killed workers included."""
        if self.kind == "celery":
            return not self.redis.exists("celery", "unacked")
        if self.kind == "rq":
            return not self.redis.exists(*(f"rq:{name}:events" for name in ("queue", "wip", "scheduled", "failed")))
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        with sqs_client(self.environment["TASKS_SQS"]) as client:
            url = client.get_queue_url(QueueName="events")["QueueUrl"]
            found = client.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return all(found[name] == "0" for name in names)

    def stop(self) -> None:
        for worker in (*self.workers.values(), *self.others):
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()


@pytest.mark.full
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", ["celery", "rq", "sqs"])
def test_every_delivery_on_a_task_queue_is_handled_once(kind: str, redis_socket: str, tmp_path: Path) -> None:
    chance = random.Random(VICTIMS)
    keys = [f"idem_{number}" for number in range(EVENTS)]
    doomed = chance.sample(keys, VICTIMS)
    order = [*keys, *chance.choices(keys, k=DELIVERIES - len(keys))]
    chance.shuffle(order)
    with ExitStack() as stack:
        engine = Engine(kind, redis_socket, 10, tmp_path, stack)
        engine.redis.sadd("victims", *doomed)
        assert engine.receive([body_of(key=key) for key in order]) == {200: DELIVERIES}
        for _ in range(3):
            engine.start_worker()
        deadline, kills = time.monotonic() + PATIENCE, 0
        while not (set(engine.redis.lrange("ended", 0, -1)) == set(keys) and kills == VICTIMS and engine.is_drained()):
            assert time.monotonic() < deadline, (
                engine.redis.llen("ended"),
                (tmp_path / "workers.log").read_text()[-3000:],
            )
            if hanging := engine.redis.lpop("hanging"):
                engine.kill(int(hanging), with_parent=kills % 2 == 0)
                kills += 1
            time.sleep(0.05)
        assert Counter(engine.redis.lrange("started", 0, -1)) == Counter(keys) + Counter(doomed)
        assert Counter(engine.redis.lrange("ended", 0, -1)) == Counter(keys)
