"""The consent page at an `authorization_url`, where the user approves or denies an OAuth flow.

Anyone who knows the id of a flow may decide it, as on a real provider's page; it can't be guessed.
`?decision=approve`, `deny` or one of FAILURES in the URL decides at once, for tests without a browser. `scope` (once
per scope) and `account` may be added.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from string import Template
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from interactor_ext.sandbox.http.guard import check_host, check_origin
from interactor_ext.sandbox.http.wire import read_body
from interactor_ext.sandbox.inspector.page_server import HEADERS, read_file
from interactor_ext.sandbox.platform.credentials import authorize, pending_flow
from interactor_ext.sandbox.platform.state import State
from interactor_ext.sandbox.problems import Problem, invalid

PATH = "/_sandbox/authorize"
# The errors of a provider: RFC 6749 section 4.1.2.1.
FAILURES = ("server_error", "temporarily_unavailable", "invalid_scope", "unauthorized_client")
ERRORS = {"approve": "", "deny": "access_denied", **{each: each for each in FAILURES}}


def consent_routes(state: State, on_request: Callable[[], None]) -> list[Route]:
    async def consent(request: Request) -> Response:
        on_request()
        check_host(request, state.settings.allowed_hosts)
        chosen = parse_qs(request.url.query)
        if request.method == "POST":
            check_origin(request)
            # A form with every scope refused contains no scope.
            if form := parse_qs((await read_body(request.receive)).decode("latin-1"), keep_blank_values=True):
                chosen |= {"scope": [], **form}
        elif "decision" not in chosen:
            return _ask(state, request.query_params.get("flow", ""))
        flow_id, decision, account = (chosen.get(name, [""])[0] for name in ("flow", "decision", "account"))
        if decision not in ERRORS:
            raise invalid(("decision", f"must be one of {', '.join(ERRORS)}: add &decision=approve to the URL"))
        location = authorize(state, flow_id, error=ERRORS[decision], scopes=chosen.get("scope"), account=account)
        # 303 See Other: the browser continues with GET after a POST.
        return RedirectResponse(location, status_code=303 if request.method == "POST" else 302, headers=HEADERS)

    return [Route(PATH, consent, methods=["GET", "POST"])]


def _ask(state: State, flow_id: str) -> Response:
    try:
        flow = pending_flow(state, flow_id)
    except Problem as problem:
        page = Template(read_file("over.html")).substitute(message=escape(problem.message))
        return HTMLResponse(page, problem.status, headers=HEADERS)
    facts = flow.private
    box = '<li><label><input type="checkbox" name="scope" value="{0}" checked> <code>{0}</code></label></li>'
    scopes = "".join(box.format(escape(scope)) for scope in facts["scopes"])
    failure = '<button name="decision" value="{0}">{0}</button>'
    page = Template(read_file("authorize.html")).substitute(
        provider=escape(facts["provider"]),
        namespace=escape(flow.namespace or "(none)"),
        target=escape(_target(facts["redirect_uri"])),
        scopes=scopes or "<li>no scopes</li>",
        action=escape(f"{PATH}?{urlencode({'flow': flow.id})}"),
        failures="".join(failure.format(each) for each in FAILURES),
    )
    return HTMLResponse(page, headers=HEADERS)


def _target(redirect_uri: str) -> str:
    parts = urlsplit(redirect_uri)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
