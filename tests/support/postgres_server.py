"""A PostgreSQL server of the test's own, on a private socket."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.waiting import eventually


class PostgresServer:
    """A cluster in `folder`. `start` waits until it responds; `kill` leaves its data as a crash would."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.dsn = f"host={folder} user=postgres dbname=postgres"
        self.folder = str(folder)
        self.url = f"postgresql+psycopg://postgres@/postgres?host={folder}"
        self._programs, self._folder = programs, folder
        self._server: subprocess.Popen[bytes] | None = None
        # PostgreSQL refuses to run as root.
        self._user: dict[str, Any] = {}
        if os.geteuid() == 0:
            self._user = {"user": "postgres", "group": "postgres", "extra_groups": []}
            shutil.chown(folder, "postgres", "postgres")
        command = [programs / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N"]
        subprocess.run([*command, "--locale=C"], check=True, stdout=subprocess.DEVNULL, cwd=folder, **self._user)

    def start(self) -> None:
        # Without fsync the disk may lag behind. A crash of the machine would lose that, a crash of the server doesn't.
        options = {"listen_addresses": "", "unix_socket_directories": str(self._folder), "fsync": "off"}
        command: list[str | Path] = [self._programs / "postgres", "-D", self._folder / "data"]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        with (self._folder / "log").open("wb") as log:
            self._server = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder, **self._user)
        eventually(self._answers, "PostgreSQL responds")

    @contextmanager
    def pooler(self, prepared: int = 0) -> Iterator[str]:
        """The dsn of a PgBouncer that runs each transaction in one of two connections, in whatever state the last one
        left it."""
        program = shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")
        if program is None:
            pytest.skip("needs PgBouncer (Debian package pgbouncer)")
        settings = Path(self.folder, "pgbouncer.ini")
        settings.write_text(
            f"[databases]\npostgres = host={self.folder} user=postgres\n[pgbouncer]\nunix_socket_dir = {self.folder}\n"
            f"auth_type = any\npool_mode = transaction\ndefault_pool_size = 2\nmax_prepared_statements = {prepared}\n"
        )
        settings.chmod(0o644)
        dsn = f"{self.dsn} port=6432"
        with subprocess.Popen([program, "-q", settings], stderr=subprocess.DEVNULL, **self._user) as process:
            try:
                eventually(lambda: self._answers(dsn), "PgBouncer responds")
                yield dsn
            finally:
                process.terminate()

    def run(self, statement: str) -> list[Any]:
        """Run a statement, commit it, and return its rows."""
        import psycopg

        with psycopg.connect(self.dsn) as connection:
            cursor = connection.execute(statement)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []

    def processes(self) -> list[int]:
        """The server and its processes, one per connection among them."""
        server = self._running()
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
        return [server.pid, *map(int, children)]

    def kill(self) -> None:
        """kill -9 of the server and its processes."""
        server = self._running()
        _, *children = self.processes()
        server.kill()
        server.wait()
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        eventually(lambda: not any(_is_running(child) for child in children), "the end of its processes")

    def kill_connection(self, process: int) -> None:
        """kill -9 of one connection's process: the server ends all others, and recovers."""
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        eventually(lambda: not _is_running(process), "the end of the process")
        eventually(self._answers, "PostgreSQL responds again")

    def stop(self) -> None:
        server = self._running()
        if server.poll() is None:
            server.send_signal(signal.SIGINT)  # ends connections, unlike SIGTERM
            server.wait(60)

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._server is not None
        return self._server

    def _answers(self, dsn: str | None = None) -> bool:
        import psycopg

        assert self._running().poll() is None, f"PostgreSQL ended: {(self._folder / 'log').read_text()}"
        try:
            psycopg.connect(dsn or self.dsn, connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True


def _is_running(process: int) -> bool:
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    # A zombie has ended; its parent hasn't waited for it.
    return stat.rpartition(")")[2].split()[0] != "Z"


def killing(server: PostgresServer, at: list[int]) -> Callable[[int], None]:
    """kill -9 of the server, or of one connection's process, each time this many events are handled."""
    connections = "SELECT pid FROM pg_stat_activity WHERE datname = 'postgres' AND pid <> pg_backend_pid()"

    def kill(count: int) -> None:
        if at and count >= at[0]:
            at.pop(0)
            if len(at) % 2 == 0:
                server.kill()
                server.start()
            else:
                server.kill_connection(server.run(connections)[0][0])

    return kill


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Skips the test if there is no server or no client."""
    pytest.importorskip("psycopg", reason="needs the Python package psycopg (pip install 'psycopg[binary]')")
    # Debian keeps them out of PATH.
    folders = [Path(found).parent for found in [shutil.which("initdb")] if found]
    folders += sorted(path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not folders:
        pytest.skip("needs PostgreSQL (Debian package postgresql)")
    # Not tmp_path: a socket's path may only have about a hundred characters, and another user must reach it.
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        server = PostgresServer(folders[-1], Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()
