"""`/openapi.yaml`: the contract, whose servers are this sandbox."""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from interactor_ext.sandbox.http.contract import ACCOUNT_PREFIX, CORE_PREFIX, read_document
from interactor_ext.sandbox.http.cors import cors_headers
from interactor_ext.sandbox.http.guard import check_host
from interactor_ext.sandbox.http.wire import origin_of
from interactor_ext.sandbox.storage.state import State


def description_route(state: State) -> Route:
    async def describe(request: Request) -> Response:
        check_host(request, state.settings.allowed_hosts)
        origin = origin_of(request.scope)
        document = {**read_document(), "servers": [{"url": origin + CORE_PREFIX}]}
        for item in document["paths"].values():
            if "servers" in item:
                item["servers"] = [{"url": origin + ACCOUNT_PREFIX}]
        # YAML 1.2 has JSON in it. RFC 9512 names the media type.
        response = Response(json.dumps(document, indent=2), media_type="application/yaml")
        response.raw_headers.extend(cors_headers(request.scope, state.settings.allow_origins))
        return response

    return Route("/openapi.yaml", describe, methods=["GET"])
