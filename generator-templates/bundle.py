"""Builds the scripts that pages load from the relay: `python generator-templates/bundle.py [--check]`.

It does nothing if no source has changed since they were built; only building needs node and npm.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

TEMPLATES = Path(__file__).resolve().parent
ROOT = TEMPLATES.parent
SOURCES = ROOT / "interactor_ext" / "relay" / "static"
BUILT = SOURCES.with_name("built")
MANIFEST = BUILT / "scripts.json"
PACKAGES = ("esbuild@0.28.2", "@gfx/zopfli@1.0.15")
NAMES = ("interactor-chat", "interactor-rooms")
# The pages that show a script with its hash.
PAGES = ("docs/how-to/web-page.md",)


def digest_of_sources() -> str:
    digest = hashlib.sha256(" ".join(PACKAGES).encode())
    for path in (Path(__file__), TEMPLATES / "bundle.mjs", *sorted(SOURCES.glob("*.js"))):
        digest.update(f"\n{path.name}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def is_up_to_date() -> bool:
    try:
        return bool(json.loads(MANIFEST.read_text())["sources"] == digest_of_sources())
    except (FileNotFoundError, ValueError):  # such as with the marks of a merge
        return False


def build(output: Path) -> None:
    """Write the scripts into a folder, with packages from npm."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        sys.exit(f"{SOURCES} has changed. Install node 20 or newer, with npm, to build the scripts of the relay.")
    packages = ROOT / ".venv-esbuild"
    installed = packages / "installed.txt"
    if not installed.exists() or installed.read_text() != str(PACKAGES):
        packages.mkdir(exist_ok=True)
        (packages / "package.json").write_text('{"private": true}')
        install = ["npm", "install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--silent", *PACKAGES]
        subprocess.run(install, cwd=packages, check=True)  # noqa: S603 - made above
        installed.write_text(str(PACKAGES))
    command = ["node", str(TEMPLATES / "bundle.mjs"), str(packages), str(SOURCES), str(output), *NAMES]
    subprocess.run(command, check=True)  # noqa: S603 - made above


def hash_of(script: bytes) -> str:
    return hashlib.sha256(script).hexdigest()[:12]


def update() -> None:
    BUILT.mkdir(exist_ok=True)
    build(BUILT)
    hashes = {name: hash_of((BUILT / f"{name}.js").read_bytes()) for name in NAMES}
    manifest = {"sources": digest_of_sources(), "hashes": hashes}
    MANIFEST.write_text(json.dumps(manifest, indent=2) + "\n")
    for page in map(ROOT.joinpath, PAGES):
        text = page.read_text(encoding="utf-8")
        for name, known in hashes.items():
            text = re.sub(rf"{name}\.[0-9a-f]{{12}}\.js", f"{name}.{known}.js", text)
        page.write_text(text, encoding="utf-8")


def main() -> int:
    if is_up_to_date():
        return 0
    if "--check" in sys.argv:
        sys.stdout.write(f"{BUILT} is older than {SOURCES}. Run `make generate`.\n")
        return 1
    update()
    return 0


if __name__ == "__main__":
    sys.exit(main())
