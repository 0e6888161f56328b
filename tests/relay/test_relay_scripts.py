"""The scripts that pages load from the relay: one minified, compressed file each."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from interactor_ext.relay import SCRIPTS
from tests.support.node import STATIC, run_script
from tests.support.npm import npm_package
from tests.support.pages import DOCS
from tests.support.relay_server import RelayServer
from tests.support.waiting import collect_garbage

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.relay_fixtures"]

ROOT = Path(__file__).parents[2]
BUILT = STATIC.with_name("built")
BUNDLE = ROOT / "generator-templates" / "bundle.py"
FOREVER = "public, max-age=31536000, immutable"
# Node decompresses brotli.
UNPACKED = """
const [{ readFileSync }, { brotliDecompressSync }] = [await import("node:fs"), await import("node:zlib")];
say(brotliDecompressSync(readFileSync(process.argv[1])).toString());
"""


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip;q=1.0, br;q=0.5", "br"),
        ("br; q=0, gzip", "gzip"),
        ("deflate, gzip", "gzip"),
        ("br;q=0.0", None),
        ("", None),
    ],
)
def test_script_is_served_in_the_smallest_encoding_that_a_browser_accepts(
    relay: RelayServer, accepted: str, encoding: str | None
) -> None:
    name = SCRIPTS["interactor-chat"]
    with relay.page(None, **{"accept-encoding": accepted}) as page:
        with page.stream("GET", f"/static/{name}") as answer:
            body = b"".join(answer.iter_raw())
        again = page.get(f"/static/{name}", headers={"if-none-match": answer.headers["etag"]})
    assert answer.headers.get("content-encoding") == encoding
    suffix = {"br": ".br", "gzip": ".gz", None: ""}[encoding]
    assert body == (BUILT / f"interactor-chat.js{suffix}").read_bytes()
    assert {each.strip() for each in answer.headers["vary"].split(",")} == {"Accept-Encoding", "Origin"}
    assert again.status_code == 304
    assert again.headers["etag"] == answer.headers["etag"]


@pytest.mark.parametrize(
    ("name", "cached"),
    [
        (SCRIPTS["interactor-chat"], FOREVER),
        ("interactor-chat.0123456789ab.js", "no-cache"),
        ("interactor-chat.js", "no-cache"),
    ],
)
def test_script_is_cached_for_good_only_under_its_own_hash(relay: RelayServer, name: str, cached: str) -> None:
    with relay.page(None) as page:
        answer = page.get(f"/static/{name}")
    assert answer.headers["cache-control"] == cached
    assert answer.content == (BUILT / "interactor-chat.js").read_bytes()


@pytest.mark.full
def test_requests_for_other_hashes_fill_no_memory(relay: RelayServer) -> None:
    with relay.page(None) as page:

        def memory_after(numbers: range) -> int:
            for number in numbers:
                assert page.get(f"/static/interactor-chat.{number:012x}.js").status_code == 200
            collect_garbage()
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        try:
            before = memory_after(range(20))  # what the first requests load stays
            assert memory_after(range(20, 220)) - before < 5_000_000  # a quarter of these scripts
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize(("name", "most"), [("interactor-chat", 24_000), ("interactor-rooms", 5_000)])
def test_script_is_small_in_each_encoding(name: str, most: int) -> None:
    assert max(len((BUILT / f"{name}.js{suffix}").read_bytes()) for suffix in (".br", ".gz")) <= most


def test_scripts_are_built_from_the_sources() -> None:
    """Run `make generate`."""
    check = subprocess.run([sys.executable, BUNDLE, "--check"], capture_output=True, text=True)
    assert (check.returncode, check.stdout) == (0, "")
    guide = (DOCS / "how-to" / "web-page.md").read_text()
    for name, known in json.loads((BUILT / "scripts.json").read_text())["hashes"].items():
        assert set(re.findall(rf"{name}\.(\w+)\.js", guide)) <= {known}
        script = (BUILT / f"{name}.js").read_bytes()
        assert gzip.decompress((BUILT / f"{name}.js.gz").read_bytes()) == script
        assert run_script(UNPACKED, str(BUILT / f"{name}.js.br")) == [script.decode()]


@pytest.mark.full
def test_building_again_gives_the_same_scripts(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    [pinned] = re.findall(r"^PACKAGES = \((.*)\)", BUNDLE.read_text(), re.MULTILINE)
    packages = npm_package(request, *re.findall('"(.*?)"', pinned))
    command = ["node", BUNDLE.with_suffix(".mjs"), packages, STATIC, tmp_path, *SCRIPTS]
    subprocess.run(command, check=True, timeout=60)
    for name in SCRIPTS:
        assert (tmp_path / f"{name}.js").read_bytes() == (BUILT / f"{name}.js").read_bytes()
