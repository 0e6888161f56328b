"""Makes the surroundings of the tests the same on every machine, whatever shell they are started from."""

from __future__ import annotations

import os
import re
import resource
import tempfile

# Tests call servers on 127.0.0.1 without a proxy, compare output without colors that any width has, and set what they
# need themselves, but for the switches of the suite.
_OF_A_SHELL = re.compile(
    r"(?i:\w+_proxy)|(NO_|FORCE_|CLI)COLOR(_FORCE)?|PYTHON_COLORS|TTY_(COMPATIBLE|INTERACTIVE)|COLUMNS|LINES"
    r"|INTERACTOR_(?!EXAMPLES|PICTURES|RECORD|SANDBOX|SCREENSHOTS)\w+"
)
# The path of a socket has at most 104 characters on macOS and 108 on Linux.
_LONGEST_FOR_SOCKETS = 60
_OPEN_FILES = 4096


def make_plain() -> tempfile.TemporaryDirectory[str] | None:
    """Change this process, and so those that it starts. Returns the home that it made, if any, to be kept."""
    for name in [name for name in os.environ if _OF_A_SHELL.fullmatch(name)]:
        del os.environ[name]
    if len(tempfile.gettempdir()) > _LONGEST_FOR_SOCKETS:
        os.environ["TMPDIR"] = tempfile.tempdir = "/tmp"
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < _OPEN_FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES if hard < 0 else min(_OPEN_FILES, hard), hard))
    if os.access(os.path.expanduser("~"), os.W_OK):
        return None
    home = tempfile.TemporaryDirectory(prefix="home-", ignore_cleanup_errors=True)
    os.environ["HOME"] = home.name
    return home
