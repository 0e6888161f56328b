"""Token store in a file, shared by the processes of one machine."""

from __future__ import annotations

import json
import os
import secrets
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from interactor_ext._engine.equality import EqualBySettings
from interactor_ext._interactor.tokens import Token, load_token

_POLL = 0.02
_WRITE_TIMEOUT = 5.0
_LARGEST = 1_000_000
# Links aren't followed, and pipes don't block. Windows has neither flag.
_SAFE_FLAGS: int = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


class FileTokenStore(EqualBySettings):
    """Tokens in the file `path`, readable only by its owner, and shared by all processes of this machine that use it.

    Several clients may share one file: each finds only its own token. Symbolic links, other users' files, and anything
    but regular files are refused, and so are such lock files next to it. The kernel releases a lock when its holder
    dies, however it dies. A file that others can read or write is replaced, with a warning. The file should be on a
    local disk; on platforms without locks, each process requests its own token.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path).absolute()  # a program that changes its working directory keeps its file
        self._settings = (type(self), self._path)

    def __repr__(self) -> str:
        return f"FileTokenStore({str(self._path)!r})"

    def load(self, key: str) -> Token | None:
        """Like `TokenStore.load`."""
        tokens = self._read()
        return load_token(tokens[key]) if key in tokens else None

    def save(self, key: str, token: Token) -> None:
        """Like `TokenStore.save`."""
        with self._locked("lock", _WRITE_TIMEOUT):
            try:
                tokens = self._read()
            except ValueError:
                tokens = {}  # unreadable content is replaced
            tokens[key] = token._asdict()
            self._replace(json.dumps({"tokens": tokens}))

    def lock(self, key: str, timeout: float) -> AbstractContextManager[bool]:
        """Like `TokenStore.lock`."""
        # One lock per client, so one client's slow account server doesn't delay another.
        return self._locked(f"{key[:16]}.lock", timeout)

    def _beside(self, suffix: str) -> Path:
        return self._path.with_name(f"{self._path.name}.{suffix}")

    def _read(self) -> dict[str, Any]:
        try:
            descriptor, others = _open(self._path, os.O_RDONLY)
        except FileNotFoundError:
            return {}
        with os.fdopen(descriptor, "rb") as file:
            text = file.read(_LARGEST)
        if others:
            raise ValueError(f"others can read or write {self._path} (mode {others:o} beyond 600), so it is replaced")
        with suppress(ValueError, RecursionError):
            content = json.loads(text)
            if isinstance(content, dict) and isinstance(content.get("tokens"), dict):
                return content["tokens"]  # type: ignore[no-any-return]
        raise ValueError(f"{self._path} doesn't contain tokens")

    def _replace(self, text: str) -> None:
        # A random name and a new file, which no other user can have prepared.
        draft = self._beside(f"{secrets.token_hex(8)}.new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFE_FLAGS, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(draft, self._path)
        except BaseException:
            with suppress(OSError):
                os.unlink(draft)
            raise

    @contextmanager
    def _locked(self, suffix: str, timeout: float) -> Iterator[bool]:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, _ = _open(self._beside(suffix), os.O_RDWR | os.O_CREAT)
        try:
            yield _acquire(descriptor, time.monotonic() + timeout)
        finally:
            _unlock(descriptor)
            os.close(descriptor)


def _open(path: Path, flags: int) -> tuple[int, int]:
    """Open a file that belongs to this user. Returns the descriptor, and the mode bits of group and others."""
    descriptor = os.open(path, flags | _SAFE_FLAGS, 0o600)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise PermissionError(f"{path} isn't a regular file, so it isn't used")
        if not hasattr(os, "geteuid"):  # on Windows, the folder's access list protects it
            return descriptor, 0
        if status.st_uid != os.geteuid():
            raise PermissionError(f"{path} belongs to another user, so it isn't trusted")
        return descriptor, status.st_mode & 0o077
    except BaseException:
        os.close(descriptor)
        raise


def _acquire(descriptor: int, deadline: float) -> bool:
    while True:
        try:
            _lock_now(descriptor)
        except (BlockingIOError, PermissionError):
            if time.monotonic() >= deadline:
                return False
        else:
            return True
        time.sleep(_POLL)


if sys.platform == "win32":
    import msvcrt

    def _lock_now(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def _unlock(descriptor: int) -> None:
        pass  # closing it unlocks it
else:
    import fcntl

    def _lock_now(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(descriptor: int) -> None:
        # A child that was forked in the meantime has a copy of the descriptor, which closing this one would leave
        # locked.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
