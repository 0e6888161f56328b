"""A service for production: answers questions, receives webhooks, and tells Prometheus and its probes how it is."""

import asyncio
import logging
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated

import prometheus_client
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field
from redis import RedisError

from events import CLIENT, SECRET, redis, router
from interactor_ext import ConfigurationError, InteractorError, get_async_client

logger = logging.getLogger(__name__)
NAMESPACES = {"key_of_acme": "org_acme", "key_of_globex": "org_globex"}  # stands for your table of API keys
PUBLIC_URL = os.environ.get("PUBLIC_URL", "http://127.0.0.1:8000")  # where the platform reaches this service


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    async with get_async_client(**CLIENT):
        yield


app = FastAPI(lifespan=lifespan)
app.include_router(router.fastapi(), prefix="/webhooks/interactor")
app.mount("/metrics", prometheus_client.make_asgi_app())  # for the inner network alone


async def namespace_of(key: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> str:
    namespace = NAMESPACES.get(key.credentials)
    if namespace is None:
        raise HTTPException(401, "unknown API key")
    return namespace


Namespace = Annotated[str, Depends(namespace_of)]


class Question(BaseModel):
    text: Annotated[str, Field(min_length=1, max_length=10_000)]


@app.post("/questions")
async def ask(question: Question, namespace: Namespace) -> str:
    tenant = get_async_client().namespace(namespace)
    await tenant.webhooks.ensure(url=f"{PUBLIC_URL}/webhooks/interactor", events=router.events, secret=SECRET)
    bot = await tenant.assistants.ensure(name="Support Bot", model="gpt-4", system_prompt="You are helpful.")
    room = await tenant.rooms.create(assistant_id=bot.id)
    return (await tenant.messages.send(room.id, content=question.text)).content


@app.get("/expired")
async def expired(namespace: Namespace) -> list[str]:
    """The providers whose accounts have to be connected again."""
    expired = await asyncio.to_thread(redis.hvals, f"expired:{namespace}")
    credentials = get_async_client().namespace(namespace).credentials.iterate(status="active")
    return sorted(set(map(str, expired)) - {credential.provider async for credential in credentials})


@app.get("/healthz")
async def alive() -> str:
    return "alive"


@app.get("/readyz")
async def ready() -> str:
    """Of what this process needs itself. An outage of the platform is not among it: a service that takes itself away
    would then lose the webhooks, too.
    """
    try:
        await router.acheck()
    except ConfigurationError as error:
        raise HTTPException(503, str(error)) from None
    return "ready"


@app.get("/health/interactor")
async def platform() -> JSONResponse:
    """For a dashboard, and for who is on call."""
    found = await get_async_client().namespace("health").health()
    if found.error:
        logger.error("the platform is unhealthy: %s", found.error)
    about = {"status": found.status, "latency_ms": found.latency_ms, "token_valid": found.token_valid}
    return JSONResponse(about, 200 if found.status == "healthy" else 503)


@app.exception_handler(InteractorError)
@app.exception_handler(RedisError)
async def failed(request: Request, error: Exception) -> JSONResponse:
    logger.error("%s %s: %s", request.method, request.url.path, error)
    return JSONResponse({"detail": "try again later"}, 503)
