"""A program in another language directs the sandbox over HTTP as Python programs do."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from interactor_ext.sandbox import Sandbox
from interactor_ext.sandbox.http.control import CALLS
from tests.support.node import node
from tests.support.scripted_server import receiving

PROGRAM = Path(__file__).with_name("program.mjs")


def test_program_of_node_does_what_python_programs_do() -> None:
    with Sandbox() as sandbox, receiving() as (receiver, url):
        receiver.answers.extend([500] * 2)
        command = [node(), str(PROGRAM), sandbox.core_api_url, url]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert ran.returncode == 0, ran.stderr
        assert len({got.body for got in receiver.got}) == 1
        assert [each.attempt for each in sandbox.deliveries] == [1, 2, 3, 1]
    shown = json.loads(ran.stdout)
    assert shown.pop("faulty").startswith("GET /api/v1/rooms: 502 <html>")
    assert shown.pop("refused").startswith("GET /api/v1/rooms: 401 ")
    assert shown.pop("location").startswith("https://a.test?error=access_denied&state=")
    assert shown == {
        "deliveries": 1,
        "said": "From nine to five.",
        "rooms": 1,
        "failed": "No.",
        "open": 0,
        "seed": ["", "org_a"],
        "requests": 1,
        "emails": [],
    }


def test_program_calls_every_method() -> None:
    told = re.findall(r'tell\("(\w+)", ["`]([^"`?]+)', PROGRAM.read_text())
    assert {(method, re.sub(r"\{\w+\}", "*", path)) for method, path, _ in CALLS} <= {
        (method, re.sub(r"\$\{[\w.]+\}", "*", path)) for method, path in told
    }
