"""Other projects' proxies and front-end servers: squid, microsocks, mitmproxy, nginx and HAProxy."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import httpx
import pytest
import trustme

from tests.support import patient
from tests.support.ports import free_port, free_ports
from tests.support.served import ROOT
from tests.support.waiting import eventually

USER, PASSWORD = "bobby", "hunter2#/@:"
CREDENTIALS = f"{USER}:{quote(PASSWORD, safe='')}@"

_SQUID = (Path(__file__).parent / "squid.conf").read_text()
# squid escapes the names that it looks up, but not everything.
_SQUID_CHECK = f"""
while read -r pair; do
  [ "$pair" = "{USER} {quote(PASSWORD, safe="/@:")}" ] && echo OK || echo ERR
done
"""
_NGINX = (Path(__file__).parent / "nginx.conf").read_text()


def program(name: str, *, install: str, also_in: str = "/usr/sbin") -> str:
    """The path of a program. Skips the test if it isn't there, saying what to install."""
    path = shutil.which(name, path=f"{os.environ['PATH']}:{also_in}")
    if path is None:
        pytest.skip(f"needs {name} ({install})")
    return path


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 60).close()
    except OSError:
        return False
    return True


def answers(url: str) -> bool:
    """Unlike `accepts`, false for a server that only listens to check whether its port is free, as Vite does first."""
    try:
        return patient.get(url).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def running(command: list[str], folder: Path, is_ready: Callable[[], bool]) -> Iterator[Callable[[], str]]:
    """Runs a program, and waits until it is ready. Yields a function that returns its output so far."""
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)

    def is_running() -> bool:
        assert process.poll() is None, log.read_text()
        return is_ready()

    try:
        eventually(is_running, f"{command[0]} is ready")
        yield log.read_text
    finally:
        process.terminate()
        try:
            process.wait(1)
        except subprocess.TimeoutExpired:  # squid waits for its clients
            process.kill()
            process.wait(60)


class Proxy(NamedTuple):
    """A proxy at two addresses."""

    open: str
    closed: str
    """Insists on USER and PASSWORD."""
    log: Callable[[], str]
    """Its log, which includes the host and port of each requested server."""


@contextmanager
def squid(certificate: trustme.LeafCert) -> Iterator[tuple[Proxy, Proxy]]:
    """The second speaks TLS."""
    path = program("squid", install="Debian package squid")
    ports = free_ports(4)
    # When started by root, it runs as another user, who may not read pytest's folders.
    with tempfile.TemporaryDirectory(prefix="squid-") as name:
        folder = Path(name)
        folder.chmod(0o777)
        certificate.private_key_and_cert_chain_pem.write_to_path(folder / "proxy.pem")
        (folder / "check").write_text(_SQUID_CHECK)
        (folder / "squid.conf").write_text(_SQUID.format(*ports, folder=folder))
        with running([path, "-N", "-f", "squid.conf"], folder, partial(accepts, ports[-1])):
            plain, plain_closed, secured, secured_closed = (f"127.0.0.1:{port}" for port in ports)
            log = (folder / "access.log").read_text
            yield Proxy(plain, plain_closed, log), Proxy(secured, secured_closed, log)


@contextmanager
def microsocks(folder: Path) -> Iterator[Proxy]:
    path = program("microsocks", install="Debian package microsocks")
    ports = free_ports(2)
    logs = []
    with ExitStack() as stack:
        for port, credentials in zip(ports, ([], ["-u", USER, "-P", PASSWORD]), strict=True):
            (own := folder / str(port)).mkdir()
            command = [path, "-i", "127.0.0.1", "-p", str(port), *credentials]
            logs.append(stack.enter_context(running(command, own, partial(accepts, port))))
        yield Proxy(f"127.0.0.1:{ports[0]}", f"127.0.0.1:{ports[1]}", lambda: "".join(log() for log in logs))


@contextmanager
def mitmproxy(folder: Path, authority: trustme.CA) -> Iterator[tuple[str, str]]:
    """The address of a proxy that decrypts TLS, and its authority's file. It trusts the servers of `authority`."""
    how = "pip install mitmproxy, into .venv-mitmproxy: it needs versions of its own"
    path = program("mitmdump", install=how, also_in=str(ROOT / ".venv-mitmproxy" / "bin"))
    port = free_port()
    authority.cert_pem.write_to_path(folder / "trusted.pem")
    settings = {"confdir": folder, "listen_host": "127.0.0.1", "ssl_verify_upstream_trusted_ca": folder / "trusted.pem"}
    options = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    with running([path, "-q", "-p", str(port), *options], folder, partial(accepts, port)):
        yield f"127.0.0.1:{port}", str(folder / "mitmproxy-ca-cert.pem")


@contextmanager
def nginx(recipe: str, folder: Path) -> Iterator[str]:
    """The URL of the server that has port 80 in the recipe."""
    path = program("nginx", install="Debian package nginx")
    port = free_port()
    recipe = recipe.replace("listen 80;", f"listen 127.0.0.1:{port};")
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, recipe=recipe))
    command = [path, "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with running(command, folder, partial(accepts, port)):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def haproxy(settings: str, upstream: str, folder: Path) -> Iterator[str]:
    """The URL of a proxy in front of the address `upstream`; `settings` are lines of its section `frontend`."""
    path = program("haproxy", install="Debian package haproxy")
    port = free_port()
    (folder / "haproxy.cfg").write_text(
        "defaults\n mode http\n timeout connect 60s\n timeout server 60s\n timeout client 60s\n"
        f"frontend front\n bind 127.0.0.1:{port}\n default_backend behind\n {settings}\n"
        f"backend behind\n server one {upstream}\n"
    )
    with running([path, "-db", "-f", "haproxy.cfg"], folder, partial(accepts, port)):
        yield f"http://127.0.0.1:{port}"
