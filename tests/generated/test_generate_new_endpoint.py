"""An endpoint that is added to openapi.yaml reaches both clients with `make generate` alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from tests.support import generator

generator.skip_without_generator()

ROOT = Path(__file__).parents[2]

SCRIPT = """
import asyncio, sys
from interactor_ext import AsyncInteractorClient, InteractorClient, NotFoundError
import interactor_client, interactor_ext
root, url = sys.argv[1:]
assert interactor_client.__file__.startswith(root) and interactor_ext.__file__.startswith(root)
settings = dict(client_id="id", client_secret="secret", account_server_url=url, core_api_url=url)

with InteractorClient(**settings) as client:
    reports = client.namespace("user_1").reports
    report = reports.create(title="May", type="sales", options={"deep": [1]})
    assert (type(report).__name__, report.id, report.type) == ("Report", "rep_1", "sales"), report
    assert reports.get("rep/1").title == "May"
    assert [report.id for report in reports.list(type="sales", per_page=2)] == ["rep_1", "rep_2"]
    assert [report.id for report in reports.iterate(type="sales")] == ["rep_1", "rep_2", "rep_3"]
    try:
        reports.get("missing")
    except NotFoundError as error:
        assert error.code == "NOT_FOUND"
    else:
        raise AssertionError("no error")

async def main():
    async with AsyncInteractorClient(**settings) as client:
        reports = client.namespace("user_1").reports
        report = await reports.create(title="May", type="sales", options={"deep": [1]})
        assert (type(report).__name__, report.id, report.type) == ("Report", "rep_1", "sales"), report
        assert (await reports.get("rep/1")).title == "May"
        assert [report.id async for report in reports.iterate(type="sales", prefetch=1)] == ["rep_1", "rep_2", "rep_3"]
        from interactor_client.api.reports import get_report
        detailed = await get_report.asyncio_detailed("missing", client=client.api)
        assert detailed.status_code == 404 and detailed.parsed.error.code == "NOT_FOUND"

asyncio.run(main())
"""


REQUEST = {"$ref": "#/components/schemas/CreateReportRequest"}


def operation(operation_id: str, schema: str, status: str = "200", **more: Any) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    error = {"$ref": "#/components/responses/NotFound"}
    responses = {status: {"description": "d", "content": content}, "404": error}
    return {"operationId": operation_id, "tags": ["reports"], "summary": "S", "responses": responses, **more}


def with_reports(document: dict[str, Any]) -> dict[str, Any]:
    text = {"type": "string"}
    report = {"title": text, "type": text, "options": {"$ref": "#/components/schemas/JsonObject"}}
    document["components"]["schemas"] |= {
        "Report": {"type": "object", "required": ["id", "title", "type"], "properties": {"id": text, **report}},
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
    body = {"required": True, "content": {"application/json": {"schema": REQUEST}}}
    document["paths"]["/reports"] = {
        "post": operation("create_report", "ReportResponse", "201", requestBody=body),
        "get": operation(
            "list_reports", "ReportListResponse", parameters=[{"name": "type", "in": "query", "schema": text}, *paging]
        ),
    }
    document["paths"]["/reports/{report_id}"] = {
        "parameters": [{"name": "report_id", "in": "path", "required": True, "schema": text}],
        "get": operation("get_report", "ReportResponse"),
    }
    return document


class Reports(BaseHTTPRequestHandler):
    """A server with the token endpoint and the three new operations."""

    protocol_version = "HTTP/1.1"
    requests: list[tuple[str, str, Any]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/oauth/token":
            self.answer(200, {"data": {"access_token": "t0k3n", "token_type": "Bearer", "expires_in": 900}})
        else:
            self.requests.append((f"POST {self.path}", self.headers["X-Namespace"], body))
            self.answer(201, {"data": {"id": "rep_1", **body}})

    def do_GET(self) -> None:
        assert self.headers["Authorization"] == "Bearer t0k3n"
        self.requests.append((f"GET {self.path}", self.headers["X-Namespace"], None))
        url = urlsplit(self.path)
        if url.path == "/reports":
            page = int(parse_qs(url.query).get("page", ["1"])[0])
            reports = [{"id": f"rep_{number}", "title": "T", "type": "sales"} for number in (2 * page - 1, 2 * page)]
            meta = {"page": page, "per_page": 2, "total": 3, "total_pages": 2, "has_more": page < 2}
            self.answer(200, {"data": reports[: 3 - page], "meta": meta})
        elif url.path == "/reports/rep%2F1":
            self.answer(200, {"data": {"id": "rep/1", "title": "May", "type": "sales"}})
        else:
            error = {"code": "NOT_FOUND", "message": "No such report.", "request_id": "req_1"}
            self.answer(404, {"error": error})

    def answer(self, status: int, body: Any) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    Reports.requests = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Reports)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.full
def test_new_endpoint_in_openapi_yaml_is_callable_sync_and_async(tmp_path: Path, server: ThreadingHTTPServer) -> None:
    for folder in ("generator-templates", "interactor_client", "interactor_ext"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    document = with_reports(yaml.load((ROOT / "openapi.yaml").read_text(), yaml.CSafeLoader))
    (tmp_path / "openapi.yaml").write_text(json.dumps(document))  # JSON is YAML

    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    generate = [generator.PYTHON, str(tmp_path / "generator-templates" / "generate.py")]
    run = subprocess.run(generate, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    url = f"http://127.0.0.1:{server.server_address[1]}"
    call = [sys.executable, "-c", SCRIPT, str(tmp_path), url]
    run = subprocess.run(call, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr

    created = ("POST /reports", "user_1", {"title": "May", "type": "sales", "options": {"deep": [1]}})
    assert Reports.requests[0] == created
    assert Reports.requests.count(created) == 2
    assert {namespace for line, namespace, _ in Reports.requests if "missing" not in line} == {"user_1"}
    asked = [line for line, _, _ in Reports.requests]
    assert {"GET /reports?type=sales&per_page=2", "GET /reports?type=sales&page=2", "GET /reports/rep%2F1"} <= {*asked}
