"""Bundles of React pages, which esbuild makes from the npm package."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.cases import NIGHTLY
from tests.support.node import STATIC
from tests.support.npm import npm_package

ESBUILD = "esbuild@0.28.2"
REACT_VERSIONS = {"react-19": "react-dom@19.3.1"} | ({"react-18": "react-dom@18.3.1"} if NIGHTLY else {})
CHAT_PAGE = Path(__file__).with_name("chat_page.jsx").read_text()


def react_bundle(request: pytest.FixtureRequest, name: str, folder: Path, page: str = CHAT_PAGE) -> None:
    """Write the bundle of a page in JSX with React of this version (see REACT_VERSIONS) to `folder/name.js`."""
    esbuild = npm_package(request, ESBUILD) / "node_modules" / ".bin" / "esbuild"
    react = npm_package(request, REACT_VERSIONS[name]) / "node_modules"
    project = folder / name
    packages = project / "node_modules"
    shutil.copytree(STATIC, packages / "@interactor" / "browser", dirs_exist_ok=True)
    for package in ("react", "react-dom"):
        if not (packages / package).exists():
            (packages / package).symlink_to(react / package)
    (project / "page.jsx").write_text(page)
    # The development build, which warns about misuse on the console.
    mode = '--define:process.env.NODE_ENV="development"'
    options = ["--bundle", "--format=esm", "--jsx=automatic", mode, "--log-level=warning"]
    subprocess.run([esbuild, "page.jsx", f"--outfile={folder / name}.js", *options], cwd=project, check=True)
