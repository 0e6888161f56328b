"""The scripts and modules that pages load from the relay."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from interactor_ext.relay._http import Request, Response

_MODULES = Path(__file__).with_name("static")
_NAMES = frozenset(path.name for path in _MODULES.glob("*.js"))
# Each script is a module with all that it imports, minified and compressed by `make generate`.
_SCRIPTS = Path(__file__).with_name("built")
_HASHES: Mapping[str, str] = json.loads((_SCRIPTS / "scripts.json").read_text())["hashes"]
_SCRIPT = re.compile(r"([a-z-]+)(?:\.([0-9a-f]{12}))?\.js")
_SUFFIXES = {"br": ".br", "gzip": ".gz", "identity": ""}
_FOREVER = "public, max-age=31536000, immutable"

SCRIPTS: Mapping[str, str] = {name: f"{name}.{known}.js" for name, known in _HASHES.items()}
"""The names of the scripts that pages load, with the hash of their contents: `SCRIPTS["interactor-chat"]` is
`interactor-chat.1f2e3d4c5b6a.js` at `/static/` of the relay, cached for good.
"""


class StaticFile(NamedTuple):
    bodies: Mapping[str, bytes]
    """By content encoding, the smallest first."""
    tag: str
    is_forever: bool
    """Whether the name says which version it is."""


def static_file(name: str) -> StaticFile | None:
    """Return a script or module. For the hash of another version, that's the current script: pages survive an
    upgrade.
    """
    match = _SCRIPT.fullmatch(name)
    if match is not None and (known := _HASHES.get(match[1])) is not None:
        return StaticFile(_script(match[1]), known, match[2] == known)
    return _module(name) if name in _NAMES else None


# Only files are cached by name: anybody can ask for any number of hashes.
@cache
def _script(name: str) -> Mapping[str, bytes]:
    return {encoding: (_SCRIPTS / f"{name}.js{suffix}").read_bytes() for encoding, suffix in _SUFFIXES.items()}


@cache
def _module(name: str) -> StaticFile:
    body = (_MODULES / name).read_bytes()
    return StaticFile({"identity": body}, blake2b(body, digest_size=12).hexdigest(), is_forever=False)


def static_response(file: StaticFile, request: Request) -> Response:
    accepted = _accepted(request.headers.get("accept-encoding", ""))
    encoding = next(each for each in file.bodies if each in accepted or each == "identity")
    etag = f'"{file.tag}-{encoding}"'
    headers = {
        "Cache-Control": _FOREVER if file.is_forever else "no-cache",
        "ETag": etag,
        "X-Content-Type-Options": "nosniff",
        "Vary": "Accept-Encoding",
    }
    if etag in request.headers.get("if-none-match", ""):
        return Response(304, headers)
    body = file.bodies[encoding]
    headers |= {"Content-Type": "text/javascript; charset=utf-8", "Content-Length": str(len(body))}
    if encoding != "identity":
        headers["Content-Encoding"] = encoding
    return Response(200, headers, b"" if request.method == "HEAD" else body)


def _accepted(header: str) -> set[str]:
    """Return the encodings named in Accept-Encoding, except those with a weight of 0."""
    named = (each.replace(" ", "").lower().partition(";q=") for each in header.split(","))
    return {name for name, _, weight in named if not re.fullmatch(r"0(\.0*)?", weight)}
