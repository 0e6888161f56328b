"""A JSON API for many tenants: each request acts in the namespace of its API key, and can reach no other."""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Path, Query, Request, status
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, StringConstraints

from interactor_client.models import Assistant
from interactor_client.types import Page
from interactor_ext import AsyncInteractorClient, InteractorError, NotFoundError, ValidationError, get_async_client
from interactor_ext.limits import RateLimiter

logger = logging.getLogger(__name__)
NAMESPACES = {"key_of_acme": "org_acme", "key_of_globex": "org_globex"}  # stands for your table of API keys


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    # One client for the process. The limiter lets a busy tenant wait, and not the others; a call that belongs to none
    # is an error.
    async with get_async_client(require_namespace=True, rate_limiter=RateLimiter(), timeout=8, deadline=20):
        yield


app = FastAPI(title="Assistants", lifespan=lifespan)


async def tenant(key: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> AsyncInteractorClient:
    """A view of the client, made for each request. The key alone decides the namespace, never a parameter."""
    namespace = NAMESPACES.get(key.credentials)
    if namespace is None:
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "unknown API key")
    return get_async_client().namespace(namespace)


Tenant = Annotated[AsyncInteractorClient, Depends(tenant)]
AssistantId = Annotated[str, Path(pattern=r"^\w{1,100}$")]  # ".." would be another path at the platform


class NewAssistant(BaseModel):
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
    instructions: str


@app.post("/assistants", status_code=status.HTTP_201_CREATED)
async def create(new: NewAssistant, tenant: Tenant) -> Assistant:
    return await tenant.assistants.create(name=new.name, model="gpt-4", system_prompt=new.instructions)


@app.get("/assistants")
async def list_all(tenant: Tenant, page: Annotated[int, Query(ge=1)] = 1) -> Page[Assistant]:
    return await tenant.assistants.list(page=page)


@app.get("/assistants/{assistant_id}")
async def get(assistant_id: AssistantId, tenant: Tenant) -> Assistant:
    return await tenant.assistants.get(assistant_id)


@app.delete("/assistants/{assistant_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete(assistant_id: AssistantId, tenant: Tenant) -> None:
    await tenant.assistants.delete(assistant_id)


@app.exception_handler(NotFoundError)
async def not_found(request: Request, error: NotFoundError) -> JSONResponse:
    return JSONResponse({"detail": "no such assistant"}, status.HTTP_404_NOT_FOUND)  # or another tenant's


@app.exception_handler(ValidationError)
async def not_valid(request: Request, error: ValidationError) -> JSONResponse:
    """The platform's rules may be stricter than those above."""
    return JSONResponse({"detail": error.details}, status.HTTP_422_UNPROCESSABLE_CONTENT)


@app.exception_handler(InteractorError)
async def platform_failed(request: Request, error: InteractorError) -> JSONResponse:
    logger.error("%s %s: %s", request.method, request.url.path, error)
    return JSONResponse({"detail": "try again later"}, status.HTTP_503_SERVICE_UNAVAILABLE)
