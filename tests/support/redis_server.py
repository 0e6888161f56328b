"""A redis-server of the test's own, on a private socket."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.ports import free_port, free_ports


@contextmanager
def redis_server() -> Iterator[str]:
    """The path of its socket. Skips the test if there is no server or no client."""
    with _running("--port", "0") as socket:
        yield socket


@contextmanager
def redis_on_port() -> Iterator[int]:
    """The port of a server, for clients that accept no socket."""
    port = free_port()
    with _running("--port", str(port)):
        yield port


@contextmanager
def redis_cluster() -> Iterator[int]:
    """The port of a one-node cluster with all slots."""
    port, bus = free_ports(2)
    with _running("--port", str(port), "--cluster-enabled", "yes", "--cluster-port", str(bus)) as socket:
        import redis

        with redis.Redis(unix_socket_path=socket, decode_responses=True) as node:
            node.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            deadline = time.monotonic() + 60
            while "cluster_state:ok" not in str(node.execute_command("CLUSTER INFO")).replace("': '", ":"):
                assert time.monotonic() < deadline, "the cluster does not come up"
                time.sleep(0.01)
        yield port


@contextmanager
def _running(*options: str) -> Iterator[str]:
    pytest.importorskip("redis", reason="needs the Python package redis (pip install redis)")
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("needs redis-server (Debian package redis-server)")
    # Not tmp_path: a socket's path may only have about a hundred characters, and pytest's are long.
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        socket = Path(folder, "s")
        of_test = ["--unixsocket", str(socket), "--dir", folder, "--save", "", "--appendonly", "no"]
        command = [binary, *options, *of_test]
        log = Path(folder, "log")
        with log.open("wb") as output:
            server = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            _wait_until_it_answers(str(socket), server, log)
            yield str(socket)
        finally:
            server.terminate()
            server.wait(60)


def _wait_until_it_answers(socket: str, server: subprocess.Popen[bytes], log: Path) -> None:
    import redis

    deadline = time.monotonic() + 60
    with redis.Redis(unix_socket_path=socket) as client:
        while True:
            assert server.poll() is None, f"redis-server ended: {log.read_text()}"
            try:
                client.ping()
            except redis.ConnectionError:
                assert time.monotonic() < deadline, "redis-server doesn't respond"
                time.sleep(0.01)
            else:
                return
