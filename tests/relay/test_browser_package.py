"""The npm package in `interactor_ext/relay/static/`: what `npm pack` gives, and the types that are generated for it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import interactor_ext
from tests.support.cases import NIGHTLY
from tests.support.node import STATIC, run_script
from tests.support.npm import npm_package
from tests.support.pages import DOCS, blocks

ROOT = Path(__file__).parents[2]
GUIDE = DOCS / "how-to" / "chat-in-frameworks.md"
TYPESCRIPT = "typescript@7.0.2"
FRAMEWORKS = ("svelte@5.57.3", "vue@3.5.45")
PAGES = Path(__file__).with_name("pages")
STREAM = (PAGES / "stream.ts").read_text()
HOOK = (PAGES / "hook.tsx").read_text()
ELEMENTS = (PAGES / "frameworks.ts").read_text()


REACTS = ["19.3", "18.3"] if NIGHTLY else ["19.3"]


@pytest.fixture(scope="module", params=[pytest.param(version, marks=pytest.mark.full) for version in REACTS])
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of a frontend team: React, and the package as `npm pack` makes it."""
    react: str = request.param
    types = [f"@types/{name}@{react.split('.')[0]}" for name in ("react", "react-dom")]
    modules = npm_package(request, TYPESCRIPT, *FRAMEWORKS, f"react@{react}", f"react-dom@{react}", *types)
    folder = tmp_path_factory.mktemp("project")
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    tarball = npm(folder, "pack", str(STATIC))
    npm(folder, "install", "--offline", tarball)
    for package in (modules / "node_modules").iterdir():
        if package.name != ".package-lock.json":
            (folder / "node_modules" / package.name).symlink_to(package)
    return folder


def npm(folder: Path, *arguments: str) -> str:
    command = ["npm", *arguments, "--silent", "--no-audit", "--no-fund"]
    return subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def problems(project: Path, *arguments: str, folder: str = ".") -> list[str]:
    """What the TypeScript compiler finds wrong in files of the project, a line each."""
    target = ["--target", "es2022", "--lib", "es2022,dom,dom.iterable", "--jsx", "react-jsx", "--noEmit", "--strict"]
    command = [str(project / "node_modules" / ".bin" / "tsc"), *target, *arguments]
    run = subprocess.run(command, cwd=project / folder, capture_output=True, text=True, timeout=300)
    assert (run.returncode == 0) == (run.stdout == ""), run.stderr
    return run.stdout.splitlines()


def test_package_has_the_version_and_the_license_of_the_project() -> None:
    """Write the version of interactor_ext/_interactor/__init__.py into package.json."""
    assert json.loads((STATIC / "package.json").read_text())["version"] == interactor_ext.__version__
    assert (STATIC / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


@pytest.mark.parametrize(("index", "name", "unobserved"), [(0, "chat", {"keep-open"}), (1, "rooms", {"for"})])
def test_manifest_of_custom_elements_is_what_the_declarations_say(index: int, name: str, unobserved: set[str]) -> None:
    declarations = (STATIC / f"interactor-{name}.d.ts").read_text()
    [element] = json.loads((STATIC / "custom-elements.json").read_text())["modules"][index]["declarations"]
    assert element["tagName"] == f"interactor-{name}"
    observed = re.findall(r"observedAttributes = \[(.*?)\]", (STATIC / f"interactor-{name}.js").read_text())[0]
    attributes = {each["name"]: each.get("fieldName") for each in element["attributes"]}
    assert {*attributes} == {*re.findall('"(.*?)"', observed), *unobserved} - {"aria-label"}
    members = {each["name"] for each in element["members"]}
    assert {*attributes.values()} - {None} <= members
    for member in members:
        assert re.search(rf"^  (get |readonly )?{member}\b", declarations, re.MULTILINE), member
    parts = {each["name"] for each in element["cssParts"]}
    assert {*re.findall("`(.*?)`", re.findall(r"Parts: (.*?)\.", declarations, re.DOTALL)[0])} == parts
    page = (ROOT / "docs" / "reference" / "chat-component.md").read_text()
    shown = [*attributes, *members, *parts, *(each["name"] for each in element.get("cssProperties", []))]
    assert [each for each in shown if not re.search(rf"`{each}(`|\()", page)] == []


def test_packed_package_holds_every_module_and_what_it_exports(project: Path) -> None:
    package = project / "node_modules" / "@interactor" / "browser"
    assert {path.name for path in package.iterdir()} == {path.name for path in STATIC.iterdir()}
    exports = json.loads((package / "package.json").read_text())["exports"]
    paths = [path for targets in exports.values() if isinstance(targets, dict) for path in targets.values()]
    assert [path for path in paths if not (package / path).is_file()] == []


@pytest.mark.parametrize("resolution", ["--module nodenext", "--module esnext --moduleResolution bundler"])
def test_compiler_accepts_pages_that_use_the_package(project: Path, resolution: str) -> None:
    (project / "stream.ts").write_text(STREAM)
    (project / "hook.tsx").write_text(HOOK)
    (project / "frameworks.ts").write_text(ELEMENTS)
    shown = {block.title: block.code for block in blocks(GUIDE) if block.language == "tsx"}
    for number, code in enumerate(shown.values()):
        (project / f"guide{number}.tsx").write_text(code)
    guide = [f"guide{number}.tsx" for number in range(len(shown))]
    assert problems(project, *resolution.split(), "stream.ts", "hook.tsx", "frameworks.ts", *guide) == []


def test_compiler_rejects_each_misspelt_name(project: Path) -> None:
    misspelt = {
        'case "message.delta"': 'case "message.detla"',
        "event.content ??": "event.contents ??",
        "event.tool_call.status": "event.tool_call.state",
        '= "closed"': '= "close"',
        "reconnectInterval": "reconnectIntervall",
        "isFinal": "final",
    }
    for number, (right, wrong) in enumerate(misspelt.items()):
        assert right in STREAM
        (project / f"misspelt{number}.ts").write_text(STREAM.replace(right, wrong, 1))
    (project / "misspelt.tsx").write_text(HOOK.replace("message.complete", "message.completed"))
    (project / "misspelt-element.tsx").write_text(HOOK.replace('tools="hidden"', 'tools="hiden"'))
    (project / "misspelt-rooms.tsx").write_text(HOOK.replace("assistant=", "asistant="))
    (project / "misspelt-frameworks.ts").write_text(ELEMENTS.replace('for: "chat"', 'form: "chat"'))
    files = [path.name for path in project.glob("misspelt*")]
    found = problems(project, "--module", "nodenext", *files)
    assert {line.partition("(")[0] for line in found if line.startswith("misspelt")} == {*files}
    assert any("message.detla" in line for line in found)


def test_modules_are_sound_and_fit_their_declarations(project: Path) -> None:
    folder = shutil.copytree(STATIC, project / "checked")
    checks = ""
    for name in ("interactor-vue", "interactor-svelte"):  # which are types of frameworks that are not here
        for kind in ("js", "d.ts"):
            (folder / f"{name}.{kind}").unlink()
    for name in [path.name.removesuffix(".js") for path in folder.glob("*.js")]:
        if (folder / f"{name}.d.ts").exists():
            # Under another name, as the compiler would take the declarations for the module.
            (folder / f"{name}.js").rename(folder / f"made-{name}.js")
            checks += f'{{ const fits: typeof import("./{name}.js") = await import("./made-{name}.js"); }}\n'
    (folder / "check.ts").write_text(f"export {{}};\n{checks}")
    options = ["--module", "nodenext", "--lib", "es2024,dom,dom.iterable", "--allowJs", "--checkJs"]
    assert problems(project, *options, "check.ts", *(path.name for path in folder.glob("*.js")), folder="checked") == []


def test_package_is_imported_and_rendered_on_a_server(project: Path) -> None:
    (project / "server.mjs").write_text("""
        import { InteractorStream } from "@interactor/browser";
        import { InteractorChatElement } from "@interactor/browser/chat";
        import { InteractorChat, useInteractorStream } from "@interactor/browser/react";
        import { createElement } from "react";
        import { renderToString } from "react-dom/server";
        const Answer = () => createElement("p", null, useInteractorStream().status);
        const chat = createElement(InteractorChat, { room: "room_1" });
        export const html = renderToString(createElement("main", null, chat, createElement(Answer)));
        export const status = new InteractorStream().status;
    """)
    script = f'const {{ html, status }} = await import("{(project / "server.mjs").as_uri()}"); say([html, status]);'
    html = '<main><interactor-chat room="room_1"></interactor-chat><p>closed</p></main>'
    assert run_script(script) == [[html, "closed"]]
