"""The consent page at an `authorization_url`, where the user approves or denies an OAuth flow.

Anybody who knows the id of a flow may decide it, as with a real provider's page; it can't be guessed.
`?decision=approve` or `deny` in the URL decides at once, for tests without a browser.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from string import Template
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from interactor_ext.sandbox.http.guard import check_host, check_origin
from interactor_ext.sandbox.inspector.page_server import HEADERS, read_file
from interactor_ext.sandbox.platform.credentials import authorize, pending_flow
from interactor_ext.sandbox.platform.state import State
from interactor_ext.sandbox.problems import Problem, invalid

PATH = "/_sandbox/authorize"
DECISIONS = ("approve", "deny")


def consent_routes(state: State, on_request: Callable[[], None]) -> list[Route]:
    async def consent(request: Request) -> Response:
        on_request()
        check_host(request, state.settings.allowed_hosts)
        flow_id, decision = request.query_params.get("flow", ""), request.query_params.get("decision")
        if request.method != "POST" and decision is None:
            return _ask(state, flow_id)
        if request.method == "POST":
            check_origin(request)
        if decision not in DECISIONS:
            raise invalid(("decision", "must be approve or deny: add &decision=approve to the address"))
        # 303 See Other: the browser continues with GET after a POST.
        location = authorize(state, flow_id, approve=decision == "approve")
        return RedirectResponse(location, status_code=303 if request.method == "POST" else 302, headers=HEADERS)

    return [Route(PATH, consent, methods=["GET", "POST"])]


def _ask(state: State, flow_id: str) -> Response:
    try:
        flow = pending_flow(state, flow_id)
    except Problem as problem:
        page = Template(read_file("over.html")).substitute(message=escape(problem.message))
        return HTMLResponse(page, problem.status, headers=HEADERS)
    facts = flow.private
    scopes = "".join(f"<li><code>{escape(scope)}</code></li>" for scope in facts["scopes"])
    page = Template(read_file("authorize.html")).substitute(
        provider=escape(facts["provider"]),
        namespace=escape(flow.namespace or "(none)"),
        target=escape(_target(facts["redirect_uri"])),
        scopes=scopes or "<li>nothing in particular</li>",
        **{each: escape(f"{PATH}?{urlencode({'flow': flow.id, 'decision': each})}") for each in DECISIONS},
    )
    return HTMLResponse(page, headers=HEADERS)


def _target(redirect_uri: str) -> str:
    parts = urlsplit(redirect_uri)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
