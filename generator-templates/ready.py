"""What `ready.py` of a package needs: the server, how requests authenticate, and which lists have pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from document import Document, Json, below
from models import fields_of
from openapi_python_client.strings import PythonIdentifier
from openapi_python_client.strings import in_double_quote_literal as quoted
from plan import Credential, Field, Pages, Type
from value_types import RefusedError, Types

# Keywords of a client besides the API keys.
_TAKEN = {
    *("base_url", "client_id", "client_secret", "deadline", "options", "password", "retry_policy", "scopes", "self"),
    *("timeout", "token", "token_url", "transport", "username"),
}
_NEEDED = {"cursor": {"parameter", "next"}, "link": set(), "offset": {"parameter"}, "page": {"parameter"}}


def server_url(servers: Sequence[Json] | None) -> str:
    """Return the URL of the first server; "" if there is none."""
    server = servers[0] if servers else {}
    url = str(server.get("url", ""))
    for name, variable in (server.get("variables") or {}).items():
        url = url.replace(f"{{{name}}}", str(variable.get("default", "")))
    return url.rstrip("/")


def credentials_of(document: Document) -> tuple[Credential, ...]:
    """Return one for each security scheme. Schemes whose requests look the same share one, and so do all client
    credentials: if their token URLs differ, the caller names one."""
    schemes = (document.data.get("components") or {}).get("securitySchemes") or {}
    found = [
        (name, each) for name, scheme in schemes.items() for each in _credentials(name, document.resolve(scheme)[0])
    ]
    if len({each.token_url for _, each in found if each.place == "grant"}) > 1:
        found = [(name, replace(each, token_url="") if each.place == "grant" else each) for name, each in found]
    kept: dict[Credential, None] = {}
    for name, each in found:
        taken = {keyword for other in kept if other != each for keyword in other.keywords}
        kept[Credential(keywords=(), name=name) if taken & {*each.keywords} else each] = None
    return tuple(kept)


def _credentials(name: str, scheme: Json) -> Iterator[Credential]:
    kind, flows, form = scheme["type"], scheme.get("flows") or {}, str(scheme.get("scheme")).lower()
    if kind == "apiKey":
        place, sent, key = scheme["in"], quoted(scheme["name"]), str(PythonIdentifier(name, "key"))
        key = f"{key}_key" if key in _TAKEN else key
        if place == "cookie":
            yield Credential(keywords=(key,), place="header", name="cookie", value=f'f"{sent}={{{key}}}"')
        else:
            yield Credential(keywords=(key,), place=place, name=sent if place == "query" else sent.lower(), value=key)
    elif (kind, form) == ("http", "basic"):
        yield Credential(keywords=("username", "password"), place="auth", value="httpx.BasicAuth(username, password)")
    elif kind == "openIdConnect" or (kind, form) == ("http", "bearer") or flows.keys() - {"clientCredentials"}:
        yield Credential(keywords=("token",), place="header", value='f"Bearer {token}"')
    elif not flows:
        yield Credential(keywords=(), name=name)
    if "clientCredentials" in flows:
        value, url = "(token_url, client_id, client_secret, scopes)", quoted(flows["clientCredentials"]["tokenUrl"])
        yield Credential(keywords=("client_id", "client_secret"), place="grant", value=value, token_url=url)


def pages_of(types: Types, written: Json, query: Sequence[Field], body: Json) -> Pages | None:
    """Return the pages of an operation with `x-pagination`; `body` is the schema of its first success."""
    if (mark := written.get("x-pagination")) is None:
        return None
    at, style = below(written["x-at"], "x-pagination"), mark.get("style")
    if missing := sorted(_NEEDED.get(style, {"style"}) - mark.keys()):
        raise RefusedError(at, f"{missing[0]!r} is missing. Styles: {', '.join(_NEEDED)}.")
    field = next((each for each in query if each.key == mark.get("parameter")), None)
    if "parameter" in mark and (field is None or (style != "cursor" and field.type.kind != "int")):
        raise RefusedError(at, "'parameter' must name a query parameter, an integer unless the style is 'cursor'.")
    items, type_ = "body", types.type_of(body)
    if "items" in mark:
        found = fields_of(types, types.target(body)[0], sent=False) if type_.kind == "model" else {}
        of = found[mark["items"]][0] if mark["items"] in found else None
        items, type_ = (f"body.{of.name} or []", of.type) if of else ("", Type(kind="any", annotation="Any"))
    if type_.item is None or type_.kind != "list":
        text = "'items' must name a property of the response that is a list. Without it, the response is."
        raise RefusedError(at, text)
    schema = next((each["schema"] for each in written["parameters"] if field and each["name"] == field.key), {})
    default, path = schema.get("default"), quoted(mark.get("next") or "")
    first = default if isinstance(default, int) else int(style == "page")
    described = f'style="{style}", parameter="{field.key if field else ""}", first={first}, path="{path}"'
    return Pages(mark=described, items=items, item=type_.item)
