"""Users connect their Google account, and see the calendars that Google's API lists for them."""

import logging
import os
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
from fastapi import Depends, FastAPI, HTTPException, Path, Request
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.middleware.sessions import SessionMiddleware

from interactor_ext import (
    AsyncInteractorClient,
    CredentialExpiredError,
    InteractorError,
    ValidationError,
    get_async_client,
    with_retry,
)

logger = logging.getLogger(__name__)
SCOPES = ["https://www.googleapis.com/auth/calendar.readonly"]
GOOGLE_URL = os.environ.get("GOOGLE_URL", "https://www.googleapis.com")  # the tests have another
# The key of the signed cookie: your own keeps users signed in across restarts, and in all worker processes.
SESSION_SECRET = os.environ.get("SESSION_SECRET") or secrets.token_hex()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    async with get_async_client(require_namespace=True):
        yield


app = FastAPI(lifespan=lifespan)
# "lax", because Google's page leads back here; https_only=True goes with HTTPS.
app.add_middleware(SessionMiddleware, secret_key=SESSION_SECRET, same_site="lax")


async def signed_in(request: Request) -> AsyncInteractorClient:
    """The view of whoever is signed in. Credentials of others aren't found in it."""
    if "user" not in request.session:
        raise HTTPException(401, "Sign in first.")
    return get_async_client().namespace(f"user_{request.session['user']}")


User = Annotated[AsyncInteractorClient, Depends(signed_in)]


@app.post("/sign-in/{user}")
async def sign_in(user: Annotated[str, Path(pattern="^[a-z]+$")], request: Request) -> None:
    request.session["user"] = user  # a real application asks for more than a name


@app.post("/connect")
async def connect(user: User, request: Request) -> RedirectResponse:
    """Send the user to Google, who sends them back to `connected`."""
    back = str(request.url_for("connected"))
    # It may be called twice: a flow that nobody completes expires.
    flow = await with_retry(user.credentials.initiate_oauth)(provider="google", redirect_uri=back, scopes=SCOPES)
    request.session["flow"] = flow.state, flow.flow_id
    return RedirectResponse(flow.authorization_url, 303)


@app.get("/connected")
async def connected(
    user: User, request: Request, state: str, code: str | None = None, error: str | None = None
) -> dict[str, Any]:
    expected, flow_id = request.session.pop("flow", (None, ""))
    # Without this check a link could connect somebody else's account to the user's.
    if state != expected:
        raise HTTPException(400, "This is not the end of a connection that you began.")
    if code is None:
        return {"connected": False, "reason": error}
    try:
        credential = await with_retry(user.credentials.complete_oauth)(provider="google", code=code, state=state)
    except ValidationError:
        # The code works once. If the first response was lost, the flow has the credential.
        flow = await user.credentials.get_oauth_status(flow_id)
        if not flow.credential_id:
            raise HTTPException(400, "The connection took too long. Begin again.") from None
        credential = await user.credentials.get(flow.credential_id)
    return {"connected": True, "scopes": credential.scopes}


@app.get("/calendars")
async def calendars(user: User) -> list[str]:
    found = await user.credentials.list(provider="google", status="active")
    if not found.data:
        raise HTTPException(409, "Connect a Google account first.")
    # The platform refreshes the token and this auth fetches it; it is sent to no other host.
    auth = user.credential_auth(found.data[0].id, hosts=[urlsplit(GOOGLE_URL).netloc])
    async with httpx.AsyncClient(base_url=GOOGLE_URL, auth=auth) as google:
        try:
            response = await google.get("/calendar/v3/users/me/calendarList")
            response.raise_for_status()
            return [calendar["summary"] for calendar in response.json()["items"]]
        except CredentialExpiredError as error:
            raise HTTPException(409, error.user_action) from None
        except httpx.HTTPStatusError as error:
            if error.response.status_code == 403:  # of a scope that the user left out
                raise HTTPException(409, "Connect the account again, and allow to read your calendars.") from None
            raise HTTPException(502, "Google could not answer.") from None
        except httpx.TransportError:
            raise HTTPException(502, "Google could not be reached.") from None


@app.exception_handler(InteractorError)
async def platform_failed(request: Request, error: InteractorError) -> JSONResponse:
    logger.error("%s %s: %s", request.method, request.url.path, error)
    return JSONResponse({"detail": "try again later"}, 503)
