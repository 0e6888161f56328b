"""The generator: reproducible output, and correct code for every kind of schema."""

from __future__ import annotations

import copy
import difflib
import importlib
import json
import os
import pickle
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
import yaml

from tests.support import generator

generator.skip_without_generator()

ROOT = Path(__file__).parents[2]
DECLARATIONS = Path("interactor_ext", "relay", "static", "interactor-types.d.ts")
TEXT = {"type": "string"}
DAY = {**TEXT, "format": "date"}


def reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def record(required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required.split(), "properties": properties}


def answers(schema: dict[str, Any], status: str = "200", media_type: str = "application/json") -> dict[str, Any]:
    return {status: {"description": "d", "content": {media_type: {"schema": schema}}}}


SHAPES = {
    "Free": {"type": "object", "additionalProperties": True},
    "Level": {"type": "integer", "enum": [1, 2, 3]},
    "Cat": record("kind meow", kind={**TEXT, "const": "cat"}, meow=TEXT),
    "Dog": record("kind", kind={**TEXT, "const": "dog"}, friend=reference("Pet")),
    "AnyPet": record("kind", kind=TEXT),
    "Pet": {"oneOf": [reference("Cat"), reference("Dog")]},
    "OpenPet": {"anyOf": [reference("Cat"), reference("Dog"), reference("AnyPet")]},
    "Part": record("name", name=TEXT, whole=reference("Thing"), parts={"type": "array", "items": reference("Part")}),
    "Job": record("job", job=TEXT),
    "Oops": record("oops", oops=TEXT),
    "Missing": record("missing", missing=TEXT),
    "Envelope": record(
        "",
        links=record("", first=TEXT),
        rows={"type": "array", "items": record("", a=TEXT)},
        jobs={"type": "array", "items": {"type": "object"}},
    ),
    "More": record(
        "", links=record("", last=TEXT), rows={"items": record("", b=TEXT)}, jobs={"items": reference("Job")}
    ),
    "Paged": {"allOf": [reference("Envelope"), reference("More")]},
    "Tree": {"type": "object", "additionalProperties": reference("Tree")},
    "Thing": {
        "description": 'Holds \\ and """ and ends with a "quote"',
        **record(
            "id type",
            **dict.fromkeys(("id", "type", "from", "self", "field", "e", "d", "with-dash", 'quo"te', "{br}ace"), TEXT),
            **{"list": {"type": "array", "items": TEXT}, "pass": {**TEXT, "format": "password"}},
            level=reference("Level"),
            ratio={"type": "number"},
            free=reference("Free"),
            anything={},
            pet=reference("Pet"),
            open_pet=reference("OpenPet"),
            nested={"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
            datetime={**TEXT, "format": "date-time"},
            day=DAY,
            uuid={**TEXT, "format": "uuid"},
            maybe={"type": ["string", "null"]},
            defaulted={**TEXT, "default": "the server's"},
            maybe_part={"anyOf": [reference("Part"), {"type": "null"}]},
            maybes={"type": "array", "items": {"type": ["string", "null"]}},
            frees={"type": "array", "items": reference("Free")},
            number_or_text={"type": ["integer", "string"]},
            time_or_part={"anyOf": [{**TEXT, "format": "date-time"}, reference("Part")]},
            parts_or_text={"anyOf": [{"type": "array", "items": reference("Part")}, TEXT]},
            either={"anyOf": [reference("Job"), reference("Missing")]},
            lists={"anyOf": [{"type": "array", "items": reference(each)} for each in ("Job", "Missing")]},
            map={"type": "object", "additionalProperties": reference("Part")},
            days={"type": "object", "additionalProperties": DAY},
            day_or_time={"anyOf": [DAY, {**TEXT, "format": "date-time"}]},
            day_or_number={"anyOf": [DAY, {"type": "integer"}]},
            flag={**TEXT, "enum": [True, False]},  # without quotes in YAML
            nothing={"const": None},
            tree=reference("Tree"),
        ),
    },
}
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": 'Shapes "quoted"', "version": "1.0.0"},
    "components": {"schemas": SHAPES},
    "paths": {
        "/things": {
            "post": {
                "operationId": "import_thing",
                "tags": ["things"],
                "summary": 'Say "hi"',
                "requestBody": {"content": {"application/json": {"schema": reference("Thing")}}},
                "responses": {
                    **answers(reference("Thing")),
                    **answers(reference("Job"), "202"),
                    "204": {"description": "d"},
                    **answers(reference("Missing"), "404"),
                    **answers(reference("Oops"), "4XX"),
                    **answers(reference("Part"), "default"),
                },
            },
        },
        "/things/{from}/parts/{part-id}": {
            "get": {
                "operationId": "get_thing_parts",
                "tags": ["things"],
                "parameters": [
                    {"name": "from", "in": "path", "required": True, "schema": TEXT},
                    {"name": "part-id", "in": "path", "required": True, "schema": {"type": "array", "items": TEXT}},
                    {"name": "X-Dry-Run", "in": "header", "schema": {"type": "boolean"}},
                    {"name": "X-Count", "in": "header", "required": True, "schema": {"type": "integer"}},
                    {"name": "since", "in": "query", "schema": {**TEXT, "format": "date-time"}},
                ],
                "responses": answers({"type": "array", "items": {"type": "array", "items": reference("Part")}}),
            },
        },
        "/boxes": {
            "get": {"operationId": "get_text", "tags": ["boxes"], "responses": answers(TEXT, media_type="text/plain")},
            "put": {
                "operationId": "boxes",
                "tags": ["boxes"],
                "requestBody": {"required": True, "content": {"application/json": {"schema": {}}}},
                "responses": answers({**TEXT, "format": "binary"}, media_type="application/octet-stream"),
            },
        },
    },
}


def make_tree(folder: Path, document: dict[str, Any] | None = None) -> Path:
    """A copy of the templates, with the project's specification or another."""
    shutil.copytree(ROOT / "generator-templates", folder / "generator-templates")
    if document is None:
        shutil.copy(ROOT / "openapi.yaml", folder)
    else:
        (folder / "openapi.yaml").write_text(json.dumps(document))  # JSON is YAML
    return folder


def run_generate(tree: Path, *arguments: str, seed: str = "0") -> subprocess.CompletedProcess[str]:
    command = [generator.PYTHON, str(tree / "generator-templates" / "generate.py"), *arguments]
    # The hash seed decides the order of sets, of which the generator has many.
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PATH": os.defpath}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    tree = make_tree(tmp_path_factory.mktemp("shapes"), DOCUMENT)
    run = run_generate(tree, "--output", str(tree / "shapes_client"), seed="1")
    assert run.returncode == 0, run.stdout + run.stderr
    sys.path.insert(0, str(tree))
    try:
        for name in ("models", "api", "api.things", "api.boxes"):
            importlib.import_module(f"shapes_client.{name}")
        return importlib.import_module("shapes_client")
    finally:
        sys.path.remove(str(tree))


# The text


@pytest.mark.full
def test_generation_is_reproducible_and_matches_the_committed_package(tmp_path: Path) -> None:
    trees = [make_tree(tmp_path / "one"), make_tree(tmp_path / "elsewhere" / "two")]
    for seed, tree in enumerate(trees, 1):
        run = run_generate(tree, seed=str(seed))
        assert run.returncode == 0, run.stdout + run.stderr
    first, second = (contents(tree / "interactor_client") for tree in trees)
    assert first == second
    committed = contents(ROOT / "interactor_client")
    assert first == {name: text for name, text in committed.items() if name in first}
    # By hand are only the modules that generated code imports.
    assert [name for name in committed.keys() - first.keys() if "/" in name] == []
    assert {(tree / DECLARATIONS).read_text() for tree in (*trees, ROOT)} == {(ROOT / DECLARATIONS).read_text()}
    assert not [name for name, text in first.items() if str(tmp_path).encode() in text or b" object at 0x" in text]
    assert json.loads(first["openapi.json"])["info"]["version"] == "2.0.0"


@pytest.mark.full
def test_check_option_writes_nothing_and_prints_the_diff(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, DOCUMENT)
    package = tree / "interactor_client"
    shutil.copytree(ROOT / "interactor_client", package, ignore=shutil.ignore_patterns("models", "api", "__pycache__"))
    assert run_generate(tree).returncode == 0
    (package / "models" / "job.py").write_text("edited = True\n")
    (package / "stale.py").touch()
    with (package / ".generated").open("a") as manifest:
        manifest.write("stale.py\nclient.py\n")
    (tree / DECLARATIONS).write_text("edited by hand\n")
    before = contents(package)
    run = run_generate(tree, "--check")
    assert run.returncode == 1
    assert "-edited = True" in run.stdout
    assert "-edited by hand" in run.stdout
    assert contents(package) == before
    assert run_generate(tree).returncode == 0
    assert not (package / "stale.py").exists()
    assert run_generate(tree, "--check").returncode == 0
    (package / "client.py").unlink()  # by hand, although the manifest named it
    assert run_generate(tree, "--check").stderr == "interactor_client/ lacks client.py, written by hand.\n"


@pytest.mark.full
def test_change_of_an_event_shows_in_the_declarations_for_the_browser(tmp_path: Path) -> None:
    document = yaml.load((ROOT / "openapi.yaml").read_text(), yaml.CSafeLoader)
    schemas = document["components"]["schemas"]
    schemas["MessageDelta"]["properties"]["language"] = {**TEXT, "description": "The language it is in."}
    schemas["MessageRead"] = record("type reader", type={**TEXT, "const": "message.read"}, reader=reference("Reader"))
    schemas["Reader"] = record("name", name=TEXT)
    schemas["StreamEvent"]["anyOf"].append(reference("MessageRead"))
    tree = make_tree(tmp_path, document)
    run = run_generate(tree)
    assert run.returncode == 0, run.stdout + run.stderr
    before, after = (folder.joinpath(DECLARATIONS).read_text().splitlines() for folder in (ROOT, tree))
    changed = [line for line in difflib.ndiff(before, after) if line[0] in "+-" and line.strip("+- ")]
    assert changed == [
        "+   /** The language it is in. */",
        "+   language?: string;",
        "-   | StreamErrorEvent;",
        "+   | StreamErrorEvent",
        "+   | MessageRead;",
        "+ export interface MessageRead {",
        '+   type: "message.read";',
        "+   reader: Reader;",
        "+ }",
        "+ export interface Reader {",
        "+   name: string;",
        "+ }",
    ]


@pytest.mark.full
@pytest.mark.parametrize(
    ("schemas", "message"),
    [
        ({"Lost": record("", lost=reference("Nowhere"))}, "Nowhere"),
        ({"Broken": {"type": "array"}}, "must have 'items'"),
        ({"Blob": record("", blob={**TEXT, "format": "binary"})}, "Blob.blob"),
    ],
)
def test_warning_of_the_generator_fails_the_run(tmp_path: Path, schemas: dict[str, Any], message: str) -> None:
    tree = make_tree(tmp_path, {**DOCUMENT, "components": {"schemas": {**SHAPES, **schemas}}})
    run = run_generate(tree)
    assert run.returncode == 1
    assert message in run.stderr
    assert not (tree / "interactor_client").exists()


@pytest.mark.full
@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (["colour"], "names 'colour', which isn't a field of the body. Required fields: id, type."),
        (["ratio"], "names 'ratio', which isn't required"),
        (["from"], "names 'from', which isn't required"),
    ],
)
def test_positional_field_must_be_a_required_one_of_the_body(tmp_path: Path, names: list[str], problem: str) -> None:
    document = copy.deepcopy(DOCUMENT)
    document["paths"]["/things"]["post"]["x-positional"] = names
    run = run_generate(make_tree(tmp_path, document))
    assert run.returncode == 1
    assert f"/paths/~1things/post/x-positional: 'x-positional' {problem}" in run.stderr


@pytest.mark.full
def test_generated_package_passes_strict_type_checks(shapes: ModuleType, tmp_path: Path) -> None:
    package = Path(str(shapes.__file__)).parent
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), str(package)]
    run = subprocess.run(command, cwd=package.parent, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


# The shapes

THING = {"id": "t1", "type": "a"}


def test_names_of_builtins_are_kept_and_keywords_get_an_underscore(shapes: ModuleType) -> None:
    body = {
        **THING,
        "from": "f",
        "self": "s",
        "list": ["l"],
        "field": "x",
        "with-dash": "y",
        'quo"te': "z",
        "pass": "p",
    }
    thing = shapes.models.Thing.from_dict(body)
    assert (thing.type, thing.from_, thing.self_, thing.list_, thing.field) == ("a", "f", "s", ["l"], "x")
    assert thing.to_dict() == body
    assert "pass_='***'" in repr(thing)
    assert thing == copy.deepcopy(thing) == pickle.loads(pickle.dumps(thing))


def test_defaults_are_not_sent_and_null_only_for_nullable_fields(shapes: ModuleType) -> None:
    thing = shapes.models.Thing(id="t1", type="a", maybe=None, field=None, maybe_part=None)
    assert thing.to_dict() == {**THING, "maybe": None, "maybe_part": None}
    assert shapes.models.Thing.from_dict(THING).to_dict() == THING


def test_property_of_two_parts_of_an_all_of_has_the_fields_of_both(shapes: ModuleType) -> None:
    links = {"first": "a", "last": "b"}
    paged = shapes.models.Paged.from_dict({"links": links, "rows": [{"a": "c", "b": "d"}], "jobs": [{"job": "e"}]})
    assert type(paged.jobs[0]) is shapes.models.Job
    assert (paged.links.first, paged.links.last, paged.rows[0].a, paged.rows[0].b) == ("a", "b", "c", "d")


def test_union_variant_is_chosen_by_its_constant(shapes: ModuleType) -> None:
    models = shapes.models
    thing = models.Thing.from_dict(
        {**THING, "pet": {"kind": "dog", "friend": {"kind": "cat", "meow": "m"}}, "open_pet": {"kind": "owl"}}
    )
    assert thing.pet == models.Dog(friend=models.Cat(meow="m"))
    assert thing.open_pet == models.AnyPet(kind="owl")
    # The variant that the constant names is the one that must fit; others are not tried.
    with pytest.raises(shapes.DecodeError) as caught:
        models.Thing.from_dict({**THING, "open_pet": {"kind": "cat"}})
    assert (caught.value.model, caught.value.field, caught.value.path) == ("Cat", "meow", "open_pet.meow")


@pytest.mark.parametrize(("name", "key"), [("Job", "job"), ("Missing", "missing")])
def test_list_of_a_union_is_chosen_by_what_its_items_require(shapes: ModuleType, name: str, key: str) -> None:
    thing = shapes.models.Thing.from_dict({**THING, "lists": [{key: "x"}]})
    assert thing.lists == [getattr(shapes.models, name)(**{key: "x"})]


@pytest.mark.parametrize("kind", ["owl", None, 5, ["cat"], {}])
def test_unknown_union_variant_is_kept_unchanged(shapes: ModuleType, kind: Any) -> None:
    thing = shapes.models.Thing.from_dict({**THING, "pet": {"kind": kind, "x": 1}})
    assert thing.pet == {"kind": kind, "x": 1}
    assert thing.to_dict()["pet"] == {"kind": kind, "x": 1}


@pytest.mark.parametrize(
    ("field", "value", "read"),
    [
        ("level", 9, 9),
        ("level", 2.0, 2),
        ("ratio", 1, 1),
        ("day", "2025-01-15", date(2025, 1, 15)),
        ("uuid", "anything", "anything"),
        ("datetime", 0, datetime(1970, 1, 1, tzinfo=UTC)),
        ("maybe", None, None),
        ("maybe", "x", "x"),
        ("maybe_part", None, None),
        ("maybes", ["x", None], ["x", None]),
        ("nested", [[1, 2.0], []], [[1, 2], []]),
        ("frees", [{"a": 1}], [{"a": 1}]),
        ("anything", None, None),
        ("number_or_text", "5", "5"),
        ("time_or_part", "2025-01-15", datetime(2025, 1, 15, tzinfo=UTC)),
        ("parts_or_text", "text", "text"),
        ("either", {"neither": 1}, {"neither": 1}),
        ("days", {"a": "2025-01-15"}, {"a": date(2025, 1, 15)}),
        ("day_or_time", "2025-01-15", date(2025, 1, 15)),
        ("day_or_time", "2025-01-15T00:00:00Z", datetime(2025, 1, 15, tzinfo=UTC)),
        ("day_or_number", "2025-01-15", date(2025, 1, 15)),
        ("flag", "true", "true"),
        ("tree", {"leaf": {"leaf": 1}}, {"leaf": {"leaf": 1}}),
    ],
)
def test_value_of_every_shape_is_decoded(shapes: ModuleType, field: str, value: Any, read: Any) -> None:
    thing = shapes.models.Thing.from_dict({**THING, field: value})
    attribute = "datetime_" if field == "datetime" else field
    assert getattr(thing, attribute) == read
    assert shapes.models.Thing.from_dict(thing.to_dict()) == thing


@pytest.mark.parametrize(
    ("field", "value", "path", "problem"),
    [
        ("level", True, "level", "must be an integer, not a boolean"),
        ("ratio", "1", "ratio", "must be a number, not a string"),
        ("day", "yesterday", "day", "is not a date in ISO 8601"),
        ("nested", [[1], [2, "x"]], "nested[1][1]", "must be an integer, not a string"),
        ("maybes", ["x", 5], "maybes[1]", "must be a string, not an integer"),
        ("number_or_text", True, "number_or_text", "must be an integer or a string, not a boolean"),
        ("parts_or_text", [{"name": "p", "parts": [{}]}], "parts_or_text[0].parts[0].name", "is missing"),
        ("maybe_part", {"name": "p", "whole": {"id": "x"}}, "maybe_part.whole.type", "is missing"),
        ("pet", "cat", "pet", "must be an object, not a string"),
        ("nothing", 5, "nothing", "must be null, not an integer"),
        ("{br}ace", 5, "{br}ace", "must be a string, not an integer"),
    ],
)
def test_invalid_value_raises_decode_error_with_its_path(
    shapes: ModuleType, field: str, value: Any, path: str, problem: str
) -> None:
    with pytest.raises(shapes.DecodeError) as caught:
        shapes.models.Thing.from_dict({**THING, field: value})
    assert (caught.value.root, caught.value.path, caught.value.problem) == ("Thing", path, problem)


def test_deeply_nested_body_raises_decode_error(shapes: ModuleType) -> None:
    endpoint = importlib.import_module("shapes_client.api.things.get_thing_parts")
    deep = b'{"name": "p", "parts": [' * 2000 + b"]}" * 2000
    for content in (b"[[" + deep + b"]]", b"[" * 200_000):
        with pytest.raises(shapes.DecodeError) as caught:
            endpoint._parse_success(httpx.Response(200, content=content))
        assert caught.value.problem == "is nested too deeply"


def test_success_is_parsed_by_its_status(shapes: ModuleType) -> None:
    endpoint = importlib.import_module("shapes_client.api.things.import_thing")
    models = shapes.models
    assert endpoint._parse_success(httpx.Response(200, json=THING)) == models.Thing(id="t1", type="a")
    assert endpoint._parse_success(httpx.Response(202, json={"job": "j"})) == models.Job(job="j")
    assert endpoint._parse_success(httpx.Response(204)) is None
    assert endpoint._parse_response(httpx.Response(404, json={"missing": "m"})) == models.Missing(missing="m")
    assert endpoint._parse_response(httpx.Response(409, json={"oops": "o"})) == models.Oops(oops="o")
    assert endpoint._parse_response(httpx.Response(409, text="oops")) is None
    assert endpoint._parse_response(httpx.Response(500, json={"name": "p"})) == models.Part(name="p")


def test_body_without_model_is_parsed_as_documented(shapes: ModuleType) -> None:
    parts = importlib.import_module("shapes_client.api.things.get_thing_parts")
    read = parts._parse_success(httpx.Response(200, json=[[], [{"name": "p"}]]))
    assert read == [[], [shapes.models.Part(name="p")]]
    with pytest.raises(shapes.DecodeError) as caught:
        parts._parse_success(httpx.Response(200, json=[[], [{"name": "p"}, {}]]))
    assert caught.value.path == "[1][1].name"
    text = importlib.import_module("shapes_client.api.boxes.get_text")
    assert text._parse_success(httpx.Response(200, text="Hello")) == "Hello"
    binary = importlib.import_module("shapes_client.api.boxes.boxes")
    assert binary._parse_success(httpx.Response(200, content=b"\x00\xff")) == b"\x00\xff"
    assert (binary._get_kwargs(body=None)["content"], binary._get_kwargs(body=5)["json"]) == (b"null", 5)


def test_headers_and_paths_are_built_from_parameters(shapes: ModuleType) -> None:
    endpoint = importlib.import_module("shapes_client.api.things.get_thing_parts")
    with pytest.raises(ValueError, match="part-id contains ',', which separates its items"):
        endpoint._get_kwargs("a/b", ["c,d"], x_count=3)
    kwargs = endpoint._get_kwargs(
        "a/b", ["c", "d/e"], x_dry_run=False, x_count=3, since=datetime(2025, 1, 15, tzinfo=UTC)
    )
    assert kwargs["url"] == "/things/a%2Fb/parts/c,d%2Fe"
    assert kwargs["headers"] == {"X-Dry-Run": "false", "X-Count": "3"}
    assert kwargs["params"] == {"since": "2025-01-15T00:00:00+00:00"}
    assert endpoint.OPERATION.path == "/things/{from}/parts/{part-id}"


def test_method_names_drop_words_of_their_tag_but_never_all(shapes: ModuleType) -> None:
    things, boxes = shapes.api.things.Things, shapes.api.boxes.Boxes
    assert {"import_", "get_parts"} <= {*dir(things)}
    assert {"get_text", "boxes"} <= {*dir(boxes)}
