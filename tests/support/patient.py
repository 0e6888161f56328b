"""httpx with more than its 5 s per request, for requests that tests make themselves on a busy machine. Also with a
single TLS context: reading the certificates of all authorities for each client takes 7 ms.
"""

from __future__ import annotations

from functools import partial

import httpx

_OPTIONS = {"timeout": httpx.Timeout(60), "verify": httpx.create_ssl_context()}
get, post, put, request, Client, AsyncClient = (
    partial(function, **_OPTIONS)
    for function in (httpx.get, httpx.post, httpx.put, httpx.request, httpx.Client, httpx.AsyncClient)
)
