"""Amazon SQS as a server on this machine, with a queue `events`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest


@contextmanager
def sqs_client(url: str) -> Iterator[Any]:
    boto3 = pytest.importorskip("boto3", reason="needs boto3 and moto (pip install 'moto[server]')")
    client = boto3.client("sqs", "us-east-1", endpoint_url=url, aws_access_key_id="test", aws_secret_access_key="test")
    with closing(client):
        yield client


@contextmanager
def moto_server() -> Iterator[str]:
    """In its own process: its connections would be left to this one's garbage collector."""
    code = """
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print("http://%s:%s" % server.get_host_and_port(), flush=True)
input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            with sqs_client(url) as client:
                client.create_queue(QueueName="events")
            yield url
        finally:
            server.kill()
