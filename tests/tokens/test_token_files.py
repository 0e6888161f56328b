"""FileTokenStore: access rights, invalid content, locks, and files that another user prepared."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import pickle
import stat
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interactor_ext._interactor.tokens import parse_token
from interactor_ext.tokens import FileTokenStore, Token
from tests.support.waiting import in_time

KEY, OTHER = "a" * 32, "b" * 32


def fresh(text: str = "t0ken", lifetime: float = 900.0) -> Token:
    return Token(text, time.time() + lifetime, lifetime)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "interactor" / "tokens.json"


@pytest.fixture
def store(path: Path) -> FileTokenStore:
    return FileTokenStore(path)


def test_stores_of_one_file_are_equal_and_can_be_copied(store: FileTokenStore, path: Path) -> None:
    store.save(KEY, token := fresh())
    with store.lock(KEY, 60) as held:
        assert held
        for other in (FileTokenStore(path), copy.deepcopy(store), pickle.loads(pickle.dumps(store))):
            assert (other, hash(other)) == (store, hash(store))
            assert other.load(KEY) == token
    assert store != FileTokenStore(path.with_name("other.json"))


def test_relative_path_keeps_to_the_folder_that_the_store_was_made_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    store = FileTokenStore("tokens.json")
    monkeypatch.chdir(tmp_path / "elsewhere")
    store.save(KEY, fresh())
    assert os.listdir() == []
    assert (tmp_path / "tokens.json").exists()


def test_token_file_is_readable_by_its_owner_only(store: FileTokenStore, path: Path) -> None:
    store.save(KEY, fresh())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


FILES = {"token": "tokens.json", "lock for writing": "tokens.json.lock", "lock": f"tokens.json.{KEY[:16]}.lock"}
needs_users = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs users of POSIX")


def use(store: FileTokenStore) -> None:
    """All operations of a client on a store."""
    store.load(KEY)
    with store.lock(KEY, 1):
        store.save(KEY, fresh())


@needs_users
@pytest.mark.parametrize("which", FILES)
@pytest.mark.parametrize("leads", ["to a file", "nowhere"])
def test_symbolic_link_is_refused(store: FileTokenStore, path: Path, which: str, leads: str) -> None:
    path.parent.mkdir()
    target = path.with_name("target")
    if leads == "to a file":
        target.write_text(json.dumps({"tokens": {}}))
        target.chmod(0o600)
    path.with_name(FILES[which]).symlink_to(target)
    with pytest.raises(OSError, match="symbolic links"):
        use(store)
    assert not target.exists() or target.read_text() == json.dumps({"tokens": {}})


@needs_users
@pytest.mark.parametrize("which", FILES)
def test_file_of_another_user_is_refused(
    store: FileTokenStore, path: Path, which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.parent.mkdir()
    file = path.with_name(FILES[which])
    file.write_text(json.dumps({"tokens": {KEY: fresh("planted")._asdict()}}))
    inode = file.stat().st_ino
    status = os.fstat

    def others(descriptor: int) -> os.stat_result:
        found = status(descriptor)
        fields = list(found)
        if found.st_ino == inode:
            fields[4] += 1
        return os.stat_result(fields)

    monkeypatch.setattr(os, "fstat", others)
    with pytest.raises(PermissionError, match="belongs to another user"):
        use(store)


@needs_users
@pytest.mark.parametrize("which", FILES)
def test_named_pipe_is_refused_without_blocking(store: FileTokenStore, path: Path, which: str) -> None:
    path.parent.mkdir()
    os.mkfifo(path.with_name(FILES[which]), 0o600)

    def refused() -> None:
        with pytest.raises(PermissionError, match="isn't a regular file"):
            use(store)

    in_time(refused)


@needs_users
@pytest.mark.parametrize("mode", [0o604, 0o640, 0o620, 0o602, 0o666])
def test_token_in_a_file_of_others_is_replaced(store: FileTokenStore, path: Path, mode: int) -> None:
    path.parent.mkdir()
    path.write_text(json.dumps({"tokens": {KEY: fresh("planted")._asdict()}}))
    path.chmod(mode)
    with pytest.raises(ValueError, match="others can read or write"):
        store.load(KEY)
    token = fresh("ours")
    store.save(KEY, token)
    assert store.load(KEY) == token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_draft_names_are_random_and_drafts_are_removed(
    store: FileTokenStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drafts: list[str] = []
    replace = os.replace

    def fail(source: Path, target: Path) -> None:
        drafts.append(source.name)
        assert stat.S_IMODE(source.stat().st_mode) == 0o600
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", fail)
    for _ in range(3):
        with pytest.raises(OSError, match="no space"):
            store.save(KEY, fresh())
    monkeypatch.setattr(os, "replace", replace)
    assert len(set(drafts)) == 3
    store.save(KEY, fresh())
    assert sorted(file.name for file in path.parent.iterdir()) == ["tokens.json", "tokens.json.lock"]


RUBBISH = [
    "",
    "{",
    "[]",
    "null",
    '{"tokens": []}',
    "[" * 100_000,
    "\x00\xff",
    json.dumps({"tokens": {KEY: {"access_token": 7}}}),
]


@pytest.mark.parametrize("text", RUBBISH)
def test_invalid_content_raises_value_error_and_is_replaced(store: FileTokenStore, path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_bytes(text.encode("latin-1"))
    path.chmod(0o600)
    with pytest.raises(ValueError):
        store.load(KEY)
    token = fresh()
    store.save(KEY, token)
    assert store.load(KEY) == token


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_any_stored_content_is_a_token_or_raises_value_error(value: object) -> None:
    for content in (
        value,
        {"access_token": value, "expires_at": 1.0, "lifetime": 1.0},
        {"access_token": "x", "expires_at": value},
    ):
        with contextlib.suppress(ValueError):
            token = parse_token(json.dumps(content))
            assert token.access_token.isascii()
            assert all(abs(number) < 1e12 for number in token[1:])


def test_stored_token_that_no_header_can_carry_raises_value_error() -> None:
    with pytest.raises(ValueError, match="access_token") as caught:
        parse_token(json.dumps({"access_token": "s3cret\r\nx: y", "expires_at": 1, "lifetime": 1}))
    assert "s3cret" not in str(caught.value)


def test_unwritable_folder_raises_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = FileTokenStore(tmp_path / "file" / "tokens.json")
    for attempt in (lambda: store.save(KEY, fresh()), lambda: store.lock(KEY, 0.1).__enter__()):
        with pytest.raises(OSError, match="file"):
            attempt()


def test_forked_child_keeps_no_lock_of_its_parent(store: FileTokenStore, path: Path) -> None:
    reader, writer = os.pipe()
    equal = FileTokenStore(path)
    with equal.lock(KEY, 1):
        child = os.fork()
        if child == 0:
            os.read(reader, 1)  # outlive the parent's lock
            os._exit(0)
    try:
        with FileTokenStore(path).lock(KEY, 0.5) as held:
            assert held
    finally:
        os.write(writer, b"x")
        os.waitpid(child, 0)
        os.close(reader)
        os.close(writer)
