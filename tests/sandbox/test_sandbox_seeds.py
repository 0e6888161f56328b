"""Seeds: initial data from a file, with and without a data file, and the errors of invalid ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from interactor_ext.cli import main
from interactor_ext.sandbox import Sandbox
from tests.support.sandbox_caller import WAITING, Caller, seed_file, workflow_of

WORKFLOW = workflow_of(*WAITING)
HOOK = {"url": "http://127.0.0.1:9/hook", "events": ["room.message.created"]}


SEED: dict[str, Any] = {
    "user_1": {
        "rooms": [{"id": "room_1", "assistant_id": "asst_1", "messages": [{"role": "user", "content": "Hello"}]}],
        "assistants": [
            {"id": "asst_1", "name": "Bot", "model": "gpt-4", "system_prompt": "Help.", "tools": ["tool_1"]}
        ],
        "tools": [{"id": "tool_1", "name": "add", "description": "", "parameters": {}}],
        "workflows": [{"id": "wf_1", **WORKFLOW}],
        "workflow_instances": [{"workflow_id": "wf_1"}],
        "webhooks": [HOOK],
        "credentials": [{"id": "cred_1", "provider": "google", "scopes": ["calendar"]}],
    },
    "": {"tools": [{"name": "sub", "description": "", "parameters": {}}]},
}


def test_seed_is_loaded_at_start_and_after_reset(tmp_path: Path) -> None:
    with Sandbox(seed=seed_file(tmp_path, SEED)).run() as sandbox:
        for _ in range(2):
            with Caller(sandbox) as caller, Caller(sandbox, None) as other:
                assert caller.read("/rooms/room_1/messages")[0]["content"] == "Hello"
                assert caller.read("/assistants/asst_1")["tools"] == ["tool_1"]
                assert caller.read("/workflow-instances")[0]["status"] == "halted"
                assert caller.read("/credentials/cred_1/token")["access_token"]
                assert [tool["name"] for tool in other.read("/tools")] == ["sub"]
                assert list(sandbox.events) == []
                caller.delete("/rooms/room_1")
            sandbox.reset()


def test_non_empty_data_file_ignores_seed(tmp_path: Path) -> None:
    seed = seed_file(tmp_path, SEED)
    with Sandbox(data=tmp_path / "platform.db", seed=seed).run() as sandbox, Caller(sandbox) as caller:
        caller.delete("/rooms/room_1")
    with Sandbox(data=tmp_path / "platform.db", seed=seed).run() as sandbox, Caller(sandbox) as caller:
        assert caller.read("/rooms") == []
        assert len(caller.read("/assistants")) == 1


def test_invalid_seed_writes_nothing(tmp_path: Path) -> None:
    """Nothing of an invalid seed is stored, and nothing prevents the corrected seed from loading."""
    wrong = {"user_1": {**SEED["user_1"], "rooms": [{"assistant_id": "asst_no"}]}}
    data = tmp_path / "platform.db"
    for _ in range(2):
        with pytest.raises(ValueError, match="there is no assistant"):
            Sandbox(data=data, seed=seed_file(tmp_path, wrong))
        # Where there is something already, it would be loaded by a reset at last.
        with Sandbox(data=data, seed=seed_file(tmp_path, SEED)).run() as sandbox, Caller(sandbox) as caller:
            assert len(caller.read("/rooms")) == 1


@pytest.mark.parametrize(
    ("seed", "place"),
    [
        ("{", r"seed\.json: line 1"),
        ("[" * 100_000, r"seed\.json: is nested deeper"),
        ('{"a": {"tools": [{"parameters": {"x": NaN}}]}}', r"seed\.json: NaN is not JSON"),
        ('{"a": {"credentials": [{"provider": "x", "expires_in": 1e999}]}}', r"seed\.json: a number is too large"),
        ('{"a": {"tools": [{"name": "\\ud800"}]}}', r"seed\.json: holds half a surrogate pair"),
        ({"a\nb": {}}, r"the namespace 'a\\nb': must match"),
        ({"a\n": {}}, r"the namespace 'a\\n': must match"),
        ({"a": {"credentials": [{"provider": "x", "expires_in": 1e300}]}}, r"\[0\]\.expires_in: leads to no time"),
        ({"a": {"tools": [{"id": "t\n"}]}}, r"a\.tools\[0\]\.id: must match"),
        ("[]", r"seed\.json: must be an object"),
        ({"a": []}, "a: must be an object"),
        ({"a": {"toolz": []}}, r"a\.toolz: is none of clients, credentials, replies"),
        ({"a": {"tools": {}}}, r"a\.tools: must be a list"),
        ({"a": {"tools": [1]}}, r"a\.tools\[0\]: must be an object"),
        ({"a": {"tools": [{"name": "", "description": "", "parameters": {}}]}}, r"a\.tools\[0\]\.name: must not be"),
        ({"a": {"assistants": [{"name": "B"}]}}, r"a\.assistants\[0\]\.model: is required"),
        ({"a": {"rooms": [{"assistant_id": "no"}]}}, r"a\.rooms\[0\]\.assistant_id: there is no assistant"),
        ({"a": {"rooms": [{"assistant_id": "x", "messages": [{}]}]}}, r"a\.rooms\[0\]\.messages\[0\]\.role"),
        ({"a": {"tools": [{"id": "a b"}]}}, r"a\.tools\[0\]\.id: must match"),
        ({"a": {"credentials": [{"provider": "x", "id": "c"}] * 2}}, r"a\.credentials\[1\]\.id: is the id of"),
        ({"a": {"credentials": [{"provider": 1}]}}, r"a\.credentials\[0\]\.provider: must be a string"),
    ],
)
def test_invalid_seed_error_names_the_place(
    tmp_path: Path, seed: Any, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = seed_file(tmp_path, seed)
    with pytest.raises(ValueError, match=place):
        Sandbox(seed=file)
    assert main(["sandbox", "--port", "0", "--seed", str(file)]) == 1
    assert "seed.json" in capsys.readouterr().err
