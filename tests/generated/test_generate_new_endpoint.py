"""What is added to openapi.yaml reaches the clients and the sandbox with `make generate` alone."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import generator

generator.skip_without_generator()

ROOT = Path(__file__).parents[2]

SCRIPT = """
import asyncio, sys, typing, warnings
from interactor_ext import ConflictError, NotFoundError, ValidationError
from interactor_ext.sandbox import Sandbox
from interactor_ext.webhooks import WebhookRouter, WebhookVerifier
from tests.support import patient
from tests.support.scripted_server import receiving
import interactor_client, interactor_ext
from interactor_client import models

root = sys.argv[1]
assert interactor_client.__file__.startswith(root) and interactor_ext.__file__.startswith(root)
with Sandbox() as sandbox, sandbox.client() as client:
    user = client.namespace("user_1")
    reports = user.reports
    report = reports.create(title="May", type="sales", options={"deep": [1]})
    assert (type(report), report.title, report.type) == (models.Report, "May", "sales"), report
    assert report.id.startswith("report_") and report.created_at.tzinfo and report.options == {"deep": [1]}
    assert reports.get(report.id) == report
    others = [reports.create(title=str(number), type="costs") for number in range(3)]
    assert [each.title for each in reports.list(type="costs", per_page=2)] == ["0", "1"]
    assert [each.title for each in reports.iterate(type="costs", per_page=2)] == ["0", "1", "2"]
    assert reports.update(report.id, title="June").title == reports.get(report.id).title == "June"
    assert reports.delete(report.id) is None
    for refused, method, given in [(NotFoundError, reports.get, {}), (ValidationError, reports.update, {"title": 1})]:
        try:
            method(report.id, **given)
        except refused:
            continue
        raise AssertionError(refused)
    assert client.namespace("user_2").reports.list().data == []

    with receiving() as (receiver, _):
        webhook = user.webhooks.create(url=receiver.url, events=["report.*"], secret="s")
        assert webhook.events == ["report.ready"]
        event = {"event": "report.ready", "namespace": "user_1", "data": EVENT_DATA}
        patient.post(f"{sandbox.core_api_url.removesuffix('/api/v1')}/_sandbox/events", json=event).raise_for_status()
        sandbox.wait_for_deliveries(60)
        router, handled = WebhookRouter(WebhookVerifier("s")), []
        @router.on("report.ready")
        def handle(event: models.ReportReadyEvent) -> None:
            handled.append(event)
        assert [router.handle(got.body, got.headers).status for got in receiver.got] == [200]
        assert [type(each) for each in handled] == [models.ReportReadyEvent], handled

    sandbox.faults.add(operation="delete_report", status=409, code="REPORT_LOCKED")
    try:
        reports.delete(others[0].id)
    except ConflictError as error:
        assert error.code == "REPORT_LOCKED" and str(error).endswith("Wait until it is finished."), error
    else:
        raise AssertionError("no error")

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        old = reports.create(name="July", type="sales")
        assert old.name == old.title == models.Report.from_dict({**old.to_dict(), "name": "June"}).title == "July"
        assert next(reports.iterate(kind="sales")).type == reports.list(kind="sales").data[0].type == "sales"
        assert reports.update(old.id, name="August").title == "August"
        assert models.CreateReportRequest(name="a", type="b").title == "a"
    assert {(each.category, str(each.message), each.filename) for each in warned} == {
        (DeprecationWarning, "name is deprecated: use title.", "<string>"),
        (DeprecationWarning, "kind is deprecated: use type.", "<string>"),
    }, warned
    assert len(warned) == 6
    try:
        reports.create(title="a", name="a", type="b")
    except TypeError:
        pass
    else:
        raise AssertionError("took both names")
    room = user.rooms.create(assistant_id=user.assistants.create(name="A", model="m", system_prompt="s").id)
    with user.rooms.stream(room.id) as events:
        sandbox.emit(room.id, {"type": "report.progress", "content": "half"})
        assert next(events) == models.ReportProgress(content="half")
assert "REPORT_LOCKED" in typing.get_args(models.KnownErrorCode)
for name in ("is_active", "active", "enabled"):
    assert models.Webhook.from_dict({name: False}).is_active is False

async def main():
    with Sandbox() as sandbox:
        async with sandbox.async_client() as client:
            reports = client.namespace("user_1").reports
            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter("always")
                report = await reports.create(name="May", type="sales")
            assert [each.filename for each in warned] == ["<string>"]
            assert await reports.get(report.id) == report
            assert [each.id async for each in reports.iterate()] == [report.id]

asyncio.run(main())
"""


REQUEST = {"$ref": "#/components/schemas/CreateReportRequest"}


def operation(operation_id: str, schema: str, status: str = "200", **more: Any) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    error = {"$ref": "#/components/responses/NotFound"}
    more = {**more, "parameters": [{"$ref": "#/components/parameters/Namespace"}, *more.get("parameters", [])]}
    responses = {status: {"description": "d", "content": content}, "404": error}
    return {"operationId": operation_id, "tags": ["reports"], "summary": "S", "responses": responses, **more}


def with_reports(document: dict[str, Any]) -> dict[str, Any]:
    text = {"type": "string"}
    report = {
        "title": {**text, "x-renamed-from": "name"},
        "type": text,
        "options": {"$ref": "#/components/schemas/JsonObject"},
    }
    document["components"]["schemas"] |= {
        "Report": {
            "type": "object",
            "required": ["id", "title", "type", "created_at"],
            "properties": {"id": text, **report, "created_at": {"type": "string", "format": "date-time"}},
        },
        "UpdateReportRequest": {"type": "object", "x-request": True, "properties": report},
        "CreateReportRequest": {"type": "object", "required": ["title", "type"], "properties": report},
        "ReportResponse": {
            "type": "object",
            "required": ["data"],
            "properties": {"data": {"$ref": "#/components/schemas/Report"}},
        },
        "ReportListResponse": {
            "type": "object",
            "required": ["data"],
            "properties": {
                "data": {"type": "array", "items": {"$ref": "#/components/schemas/Report"}},
                "meta": {"$ref": "#/components/schemas/PaginationMeta"},
            },
        },
    }
    paging = [{"name": name, "in": "query", "schema": {"type": "integer"}} for name in ("page", "per_page")]
    kind = {"name": "type", "in": "query", "schema": text, "x-renamed-from": "kind"}
    body = {"required": True, "content": {"application/json": {"schema": REQUEST}}}
    changes = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/UpdateReportRequest"}}}}
    deletion = operation("delete_report", "ReportResponse")
    deletion["responses"] = {"204": {"description": "Deleted."}}
    document["paths"]["/reports"] = {
        "post": operation("create_report", "ReportResponse", "201", requestBody=body),
        "get": operation("list_reports", "ReportListResponse", parameters=[kind, *paging]),
    }
    document["paths"]["/reports/{report_id}"] = {
        "parameters": [{"name": "report_id", "in": "path", "required": True, "schema": text}],
        "get": operation("get_report", "ReportResponse"),
        "patch": operation("update_report", "ReportResponse", requestBody=changes),
        "delete": deletion,
    }
    return document


def with_more(document: dict[str, Any]) -> dict[str, Any]:
    """A webhook event, a stream event, an error code, and a field with a new name."""
    schemas = document["components"]["schemas"]
    copies = [
        ("WebhookEvent", "CredentialExpiredEvent", "ReportReadyEvent", "event", "report.ready"),
        ("StreamEvent", "MessageDelta", "ReportProgress", "type", "report.progress"),
    ]
    for family, model, name, field, constant in copies:
        schemas[name] = copy.deepcopy(schemas[model])
        schemas[name]["properties"][field]["const"] = constant
        schemas[name]["examples"][0][field] = constant
        schemas[family]["anyOf"].append({"$ref": f"#/components/schemas/{name}"})
    schemas["WebhookEventType"]["enum"].append("report.ready")
    schemas["ErrorCode"]["enum"].append("REPORT_LOCKED")
    schemas["ErrorCode"]["x-advice"]["REPORT_LOCKED"] = "Wait until it is finished."
    webhook = schemas["Webhook"]
    webhook["properties"]["is_active"] = webhook["properties"].pop("active")
    webhook["x-absent"]["is_active"] = webhook["x-absent"].pop("active")
    webhook["properties"]["is_active"]["x-renamed-from"] = "active"
    webhook["x-other-names"] = {"is_active": "enabled"}
    return document


@pytest.mark.full
def test_additions_to_openapi_yaml_reach_clients_and_sandbox_without_code(tmp_path: Path) -> None:
    for folder in ("generator-templates", "interactor_client", "interactor_ext"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    document = with_more(with_reports(yaml.load((ROOT / "openapi.yaml").read_text(), yaml.CSafeLoader)))
    (tmp_path / "openapi.yaml").write_text(json.dumps(document))  # JSON is YAML

    data = document["components"]["schemas"]["ReportReadyEvent"]["examples"][0]["data"]
    script = f"EVENT_DATA = {data!r}\n{SCRIPT}"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (tmp_path, ROOT)))}
    generate = [generator.PYTHON, str(tmp_path / "generator-templates" / "generate.py")]
    for command in (generate, [sys.executable, "-c", script, str(tmp_path)]):
        run = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
