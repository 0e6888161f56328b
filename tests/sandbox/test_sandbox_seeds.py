"""Seeds: initial data from a file, with and without a data file, and the errors of invalid ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from interactor_ext.cli import main
from interactor_ext.sandbox import Sandbox
from tests.support.sandbox_caller import WAITING, Caller, fetch_token, seed_file, workflow_of

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
        ("{", r"seed\.json: .*line 1"),
        ("[" * 100_000, r"seed\.json: it is nested too deeply"),
        ('{"a": {"tools": [{"parameters": {"x": NaN}}]}}', r"seed\.json: .*not JSON compliant"),
        ('{"a": {"tools": [{"name": "\\ud800"}]}}', r"seed\.json: .*surrogates not allowed"),
        ({"a": {"credentials": [{"provider": "x", "expires_in": 1e300}]}}, r"a\.credentials\[0\]: leads to a time"),
        ("[]", r"seed\.json: must be an object"),
        ({"a": []}, "a: must be an object"),
        ({"a": {"toolz": []}}, r"a\.toolz: must be one of: clients, "),
        ({"a": {"tools": {}}}, r"a\.tools: must be a list"),
        ({"a": {"tools": [1]}}, r"a\.tools\[0\]: must be an object"),
        ({"a": {"tools": [{"name": "", "description": "", "parameters": {}}]}}, r"a\.tools\[0\]\.name: must not be"),
        ({"a": {"assistants": [{"name": "B"}]}}, r"a\.assistants\[0\]\.model: is required"),
        ({"a": {"rooms": [{"assistant_id": "no"}]}}, r"a\.rooms\[0\]\.assistant_id: there is no assistant"),
        ({"a": {"rooms": [{"assistant_id": "x", "messages": [{}]}]}}, r"a\.rooms\[0\]\.messages\[0\]\.role"),
        ({"a": {"tools": [{"id": "a b"}]}}, r"a\.tools\[0\]\.id: must match"),
        ({"a": {"credentials": [{"provider": "x", "id": "c"}] * 2}}, r"a\.credentials\[1\]\.id: is already the id of"),
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


def test_exported_seed_leads_to_the_same_seed(tmp_path: Path) -> None:
    with Sandbox() as sandbox, Caller(sandbox) as caller:
        sandbox.clock.freeze()
        room = caller.room_with_tools("t")
        caller.say(room, "Hello")
        caller.say(room, "/tool t")
        caller.make("/data-sources", name="D", type="url", config={"url": "https://shop.test"})
        caller.make("/webhooks", url="http://127.0.0.1:9/", events=["room.message.created"], secret="whsec_1")
        instance = caller.start(order=7)
        caller.make(f"/workflow-instances/{instance['id']}/input", approved=True)
        sandbox.add_credential("google", namespace="user_2", refreshable=False, expires_in=500)
        sandbox.add_client("desk", "desk_secret", scopes=["rooms:read"], namespaces=["user_1", ""])
        sandbox.replies.add(when="hours", say="Nine to five.", times=2)
        sandbox.replies.add(room=room["id"], namespace="user_1", say="Well?")
        first = sandbox.export()
    assert first["user_1"]["workflow_instances"][0]["context"] == {"order": 7}
    assert first["user_2"]["credentials"][0]["expires_in"] == 500
    with Sandbox(seed=seed_file(tmp_path, first)) as sandbox:
        assert sandbox.export() == first
        with Caller(sandbox) as caller:
            assert caller.read("/rooms")[0]["id"] == room["id"]
            assert caller.say(room, "What are your hours?")["content"] == "Nine to five."
        fetch_token(sandbox, client_id="desk", client_secret="desk_secret")
