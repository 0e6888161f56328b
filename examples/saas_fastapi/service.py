"""The pages of a company's members: a chat, refunds to approve, a form, and connected accounts."""

import logging
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from html import escape
from pathlib import Path
from string import Template
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from starlette.middleware.sessions import SessionMiddleware

from database import Notice, Session, engine
from desk import CLIENT, room_of, start_return, tools
from events import SECRET, router
from interactor_ext import AsyncInteractorClient, InteractorError, ValidationError, get_async_client, with_retry
from interactor_ext.relay import SCRIPTS, Relay

CSP = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    async with get_async_client(**CLIENT):
        yield
    await engine.dispose()


async def authorize(scope: Any) -> tuple[str, str] | None:
    """The company, whose data its members share, and the member."""
    member: list[str] | None = scope["session"].get("member")
    return None if member is None else (member[0], member[1])


async def manager(namespace: str, room_id: str, scope: Any) -> str | None:
    return "mona" if scope["session"]["member"][1] == "mona" else None  # a real application looks it up


app = FastAPI(lifespan=lifespan)
# "lax", because the provider's page leads back here; https_only=True goes with HTTPS.
app.add_middleware(SessionMiddleware, secret_key=os.environ["SESSION_SECRET"], same_site="lax")
app.mount("/interactor", Relay(get_async_client, authorize=authorize, approvals=manager, tools=tools))
app.include_router(router.fastapi(), prefix="/webhooks/interactor")


async def company_of(request: Request) -> AsyncInteractorClient:
    if "member" not in request.session:
        raise HTTPException(401, "Sign in first.")
    return get_async_client().namespace(request.session["member"][0])


Company = Annotated[AsyncInteractorClient, Depends(company_of)]


@app.get("/")
async def page(request: Request, form: str = "") -> HTMLResponse:
    if "member" not in request.session:
        return render("sign_in.html")
    company, (namespace, name) = await company_of(request), request.session["member"]
    accounts = [credential.provider async for credential in company.credentials.iterate(status="active")]
    async with Session() as session:
        notices = await session.scalars(select(Notice.text).where(Notice.company == namespace))
    news, connected = " ".join(notices), ", ".join(map(str, accounts))
    return render("page.html", user=name, room=await room_of(company), form=form, news=news, connected=connected)


@app.post("/sign-in/{company}/{name}")
async def sign_in(company: str, name: str, request: Request) -> RedirectResponse:
    request.session["member"] = f"org_{company}", name  # a real application asks for more than a name
    webhooks, url = (await company_of(request)).webhooks, f"{request.base_url}webhooks/interactor"
    await webhooks.ensure(url=url, events=router.events, secret=SECRET)
    return RedirectResponse("/", 303)


@app.post("/sign-out")
async def sign_out(request: Request) -> RedirectResponse:
    request.session.clear()
    return RedirectResponse("/", 303)


@app.post("/returns")
async def begin_return(company: Company) -> RedirectResponse:
    return RedirectResponse(f"/?form={await start_return(company)}", 303)


@app.post("/connect")
async def connect(company: Company, request: Request) -> RedirectResponse:
    back = str(request.url_for("connected"))
    flow = await with_retry(company.credentials.initiate_oauth)(provider="google", redirect_uri=back)
    request.session["state"] = flow.state
    return RedirectResponse(flow.authorization_url, 303)


@app.get("/connected")
async def connected(company: Company, request: Request, state: str, code: str | None = None) -> RedirectResponse:
    if state != request.session.pop("state", None):  # or a link could connect somebody else's account
        raise HTTPException(400, "You didn't start this connection.")
    if code is not None:  # the user may have declined
        with suppress(ValidationError):  # the code works once, and the first response may have been lost
            await with_retry(company.credentials.complete_oauth)(provider="google", code=code, state=state)
    return RedirectResponse("/", 303)


@app.get("/metrics")  # of all processes that share PROMETHEUS_MULTIPROC_DIR; for the inner network only
def metrics() -> Response:
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


@app.exception_handler(InteractorError)
@app.exception_handler(SQLAlchemyError)
async def failed(request: Request, error: Exception) -> JSONResponse:
    logging.getLogger(__name__).error("%s %s: %s", request.method, request.url.path, error)
    return JSONResponse({"detail": "Try again later."}, 503)


def render(name: str, **values: str) -> HTMLResponse:
    values = {"script": SCRIPTS["interactor-chat"]} | {key: escape(value) for key, value in values.items()}
    html = Template(Path(__file__).with_name(name).read_text()).substitute(values)
    return HTMLResponse(html, headers={"Content-Security-Policy": CSP, "Cache-Control": "no-store"})
