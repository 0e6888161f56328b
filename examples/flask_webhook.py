"""Users connect their calendar; a webhook tells when a connection has ended, and the page asks to connect again."""

from __future__ import annotations

import os
import re
import secrets
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from flask import Flask, abort, redirect, render_template_string, request, session, url_for
from werkzeug.wrappers import Response

from interactor_ext import InteractorClient, InteractorError, ValidationError, get_client, with_retry
from interactor_ext.webhooks import CredentialExpiredEvent, SQLiteEventStore, WebhookRouter, WebhookVerifier

PROVIDER = "google_calendar"
SECRET = os.environ["INTERACTOR_WEBHOOK_SECRET"]
PAGE = """<!doctype html>
<html lang="en">
<title>Calendars</title>
{% if not user %}
  <form method="post" action="{{ url_for('sign_in') }}">
    <label>Your name <input name="user" required pattern="[a-z]+"></label> <button>Sign in</button>
  </form>
{% else %}
  <h1>Calendars of {{ user }}</h1>
  {% for credential in credentials %}<p>{{ credential.provider }} is {{ credential.status }}.</p>{% endfor %}
  {% if expired %}<p role="alert">A connection has ended: please connect again.</p>{% endif %}
  <form method="post" action="{{ url_for('connect') }}"><button>Connect a calendar</button></form>
{% endif %}
"""

app = Flask(__name__)
# A key of your own keeps users signed in across restarts. "Lax", because the provider's page leads back here.
app.config.update(SECRET_KEY=secrets.token_hex(), SESSION_COOKIE_SAMESITE="Lax")
Path(app.instance_path).mkdir(exist_ok=True)
store = SQLiteEventStore(Path(app.instance_path, "events.db"))
router = WebhookRouter(WebhookVerifier(SECRET), store, name="calendars")
app.register_blueprint(router.flask("/webhooks/interactor"))


@router.on("credential.expired")
def remember(event: CredentialExpiredEvent) -> None:
    """Runs once for each event, and again if it fails: it states a fact, so that a second run changes nothing."""
    query("INSERT OR REPLACE INTO expired VALUES (?, ?)", event.data.credential_id, event.namespace)


@app.get("/")
def home() -> str:
    if "user" not in session:
        return render_template_string(PAGE)
    expired = query("SELECT credential FROM expired WHERE namespace = ?", namespace())
    credentials = tenant().credentials.list(provider=PROVIDER).data
    return render_template_string(PAGE, user=session["user"], credentials=credentials, expired=expired)


@app.post("/sign-in")
def sign_in() -> Response:
    if not re.fullmatch("[a-z]+", request.form["user"]):
        abort(400)
    session["user"] = request.form["user"]  # a real application asks for more than a name
    url = urljoin(request.host_url, "/webhooks/interactor")
    tenant().webhooks.ensure(url=url, events=router.events, secret=SECRET)
    return redirect(url_for("home"), 303)


@app.post("/connect")
def connect() -> Response:
    back = url_for("connected", _external=True)
    # It may be called twice: a flow that nobody completes expires.
    flow = with_retry(tenant().credentials.initiate_oauth)(provider=PROVIDER, redirect_uri=back)
    session["flow"] = flow.state, flow.flow_id
    return redirect(flow.authorization_url, 303)


@app.get("/connected")
def connected() -> Response:
    state, flow_id = session.pop("flow", (None, ""))
    if state is None or request.args.get("state") != state:
        abort(400)  # somebody else's flow
    if code := request.args.get("code"):  # there is none if the user has declined
        credentials = tenant().credentials
        with suppress(ValidationError):  # the code works once, and the first response may have been lost
            with_retry(credentials.complete_oauth)(provider=PROVIDER, code=code, state=state)
        if credentials.get_oauth_status(flow_id).status == "completed":
            query("DELETE FROM expired WHERE namespace = ?", namespace())
    return redirect(url_for("home"))


@app.errorhandler(InteractorError)
def platform_failed(error: InteractorError) -> tuple[str, int]:
    app.logger.error("%s %s: %s", request.method, request.path, error)
    return "Please try again later.", 503


def namespace() -> str:
    if "user" not in session:
        abort(401)
    return f"user_{session['user']}"


def tenant() -> InteractorClient:
    """The signed-in user's view of the client that all requests share."""
    return get_client(require_namespace=True).namespace(namespace())


def query(sql: str, *values: str | None) -> list[Any]:
    with closing(sqlite3.connect(Path(app.instance_path, "calendars.db"))) as db, db:
        db.execute("CREATE TABLE IF NOT EXISTS expired (credential TEXT PRIMARY KEY, namespace TEXT)")
        return db.execute(sql, values).fetchall()
