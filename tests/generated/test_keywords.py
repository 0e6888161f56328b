"""Each keyword of OpenAPI: carried into the generated code, without effect on it, or refused with its place."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Any, get_args
from urllib.parse import unquote_plus

import httpx
import pytest
import yaml

from tests.support import generator

generator.skip_without_generator()
pytestmark = pytest.mark.full

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "generator-templates"
# Uses every keyword that isn't refused; our own document has our extensions.
WHOLE = ROOT / "tests" / "support" / "foreign_specs" / "every_keyword.yaml"
OWN = ROOT / "openapi.yaml"
ANIMAL = {"id": 1, "name": "Rex"}


def table() -> Iterator[tuple[str, str, str, str, str]]:
    """Object type, keyword, what becomes of it, type of its value, note."""
    kind = ""
    for line in (TEMPLATES / "keywords.txt").read_text().splitlines():
        if line.startswith(" "):
            row, _, note = line.partition(": ")
            verdict, value, *keywords = row.split()
            for keyword in keywords:
                yield kind, keyword, verdict, value, note
        elif not line.startswith("#"):
            kind = line


TABLE = list(table())
TYPES = {(kind, keyword): value for kind, keyword, _, value, _ in TABLE}


def used(kind: str, part: Any) -> Iterator[tuple[str, str]]:
    """The keywords of a part of a document, with their object types."""
    if kind[0] in "[{" and isinstance(part, dict | list):
        for each in part if isinstance(part, list) else part.values():
            yield from used(kind[1:-1], each)
    elif isinstance(part, dict):
        for keyword, value in part.items():
            name = keyword if (kind, keyword) in TYPES else "*"
            if (kind, name) in TYPES:
                yield kind, name
                yield from used(TYPES[kind, name], value)


class Zoo:
    """The package of the whole document."""

    def __init__(self) -> None:
        self.models = importlib.import_module("zoo.models")
        self.tags = importlib.import_module("zoo.methods").RESOURCES
        self.resources = importlib.import_module("zoo.api").Resources()
        self.resources._sender = self
        self.body: Any = None
        self.sent: list[httpx.Request] = []

    def send(self, kwargs: dict[str, Any], parse: Callable[[httpx.Response], Any]) -> Any:
        self.sent.append(httpx.Client(base_url="https://zoo.example.com").build_request(**kwargs))
        return parse(httpx.Response(200, json=self.body))

    def call(self, method: str, *arguments: Any, body: Any = None, **keywords: Any) -> Any:
        """What a method returns for a response with this body."""
        self.body = body
        tag, _, name = method.partition(".")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return getattr(getattr(self.resources, tag), name)(*arguments, **keywords)

    def request(self, method: str, *arguments: Any, body: Any = None, **keywords: Any) -> httpx.Request:
        """The request that a method sends."""
        self.call(method, *arguments, body=body, **keywords)
        return self.sent[-1]

    def get(self, **keywords: Any) -> httpx.Request:
        return self.request("animals.get", 7, date(2025, 1, 15), plain="p", body=ANIMAL, **keywords)

    def patch(self, **keywords: Any) -> httpx.Request:
        self.resources.keywords.patch_it(7, date(2025, 1, 15), **keywords)
        return self.sent[-1]

    def query(self, **keywords: Any) -> str:
        """The query of a request, without the required parameter."""
        return unquote_plus(self.get(**keywords).url.query.decode()).replace("plain=p", "").strip("&")

    def create(self, **keywords: Any) -> Any:
        return json.loads(
            self.request("animals.create", 7, date(2025, 1, 15), "Rex", secret="s", body=ANIMAL, **keywords).content
        )

    def field(self, name: str, value: Any) -> Any:
        """A field of an animal as it's read."""
        return getattr(self.models.Animal.from_dict({**ANIMAL, name: value}), name)

    def doc(self, method: str = "get") -> str:
        return " ".join((getattr(type(self.resources.animals), method).__doc__ or "").split())

    def written(self, path: str) -> str:
        """A module of the package."""
        return (Path(str(self.models.__file__)).parents[1] / path).read_text()


def animal(zoo: Zoo, **fields: Any) -> Any:
    return zoo.models.Animal(name="Rex", secret="s", **fields)


# By the keywords that it shows: how the generated code has them, and what comes out.
CHECKS: dict[str, tuple[Callable[[Zoo], Any], Any]] = {
    "OpenAPI.openapi OpenAPI.info Info.title Info.version": (
        lambda zoo: "The generated client of Zoo 1.2.3. Models and endpoints" in zoo.written("__init__.py"),
        True,
    ),
    "OpenAPI.tags Tag.name Operation.tags Tag.x-also-called": (
        lambda zoo: zoo.tags,
        {"animals": "beasts", "visitor": "", "page": "", "keywords": ""},
    ),
    "Tag.description": (lambda zoo: type(zoo.resources.animals).__doc__, "The animals."),
    "OpenAPI.x-method-names Operation.operationId": (lambda zoo: "As `animals.create` returned it." in zoo.doc(), True),
    "Operation.summary Operation.description": (
        lambda zoo: zoo.doc().startswith("Get an animal. As `animals.create`"),
        True,
    ),
    "OpenAPI.paths PathItem.get Parameter.name Parameter.in Parameter.required PathItem.parameters": (
        lambda zoo: (zoo.get().method, str(zoo.get().url)),
        ("GET", "https://zoo.example.com/animals/7/2025-01-15?plain=p"),
    ),
    "PathItem.put": (lambda zoo: zoo.request("keywords.put_it", 7, date(2025, 1, 15)).method, "PUT"),
    "PathItem.delete": (lambda zoo: zoo.request("keywords.delete_it", 7, date(2025, 1, 15)).method, "DELETE"),
    "PathItem.options": (lambda zoo: zoo.request("keywords.options_of_it", 7, date(2025, 1, 15)).method, "OPTIONS"),
    "PathItem.head": (lambda zoo: zoo.request("keywords.head_of_it", 7, date(2025, 1, 15)).method, "HEAD"),
    "PathItem.trace": (lambda zoo: zoo.request("keywords.trace_it", 7, date(2025, 1, 15)).method, "TRACE"),
    "PathItem.patch RequestBody.required": (lambda zoo: (zoo.patch().method, zoo.patch().content), ("PATCH", b"")),
    "MediaType.encoding Encoding.contentType": (
        lambda zoo: (
            b"Content-Type: image/svg+xml"
            in zoo.request("keywords.put_it", 7, date(2025, 1, 15), photo="<svg/>").read()
        ),
        True,
    ),
    "RequestBody.content MediaType.schema": (
        lambda zoo: [
            zoo.patch().headers.get("Content-Type"),
            zoo.patch(body=["a"]).headers["Content-Type"],
            zoo.patch(body=["a"]).content,
        ],
        [None, "application/merge-patch+json", b'["a"]'],
    ),
    "PathItem.post Operation.servers Server.url Server.variables ServerVariable.default": (
        lambda zoo: str(zoo.request("animals.create", 7, date(2025, 1, 15), "Rex", secret="s", body=ANIMAL).url),
        "https://east.farm.example.com/v1/animals/7/2025-01-15",
    ),
    "PathItem.servers PathItem.$ref Components.pathItems": (
        lambda zoo: str(zoo.request("visitor.list", body=[]).url),
        "https://visitors.example.com/visitors",
    ),
    "Operation.deprecated": (lambda zoo: zoo.doc().count("Deprecated."), 2),
    "Operation.requestBody Components.requestBodies Operation.x-positional Schema.readOnly": (
        lambda zoo: zoo.create(),
        {"name": "Rex", "secret": "s"},
    ),
    "Operation.responses Response.content Components.responses": (
        lambda zoo: zoo.call("animals.create", 7, date(2025, 1, 15), "Rex", secret="s", body=ANIMAL),
        lambda zoo: zoo.models.Animal.from_dict(ANIMAL),
    ),
    "Operation.parameters Parameter.schema Components.parameters": (lambda zoo: zoo.query(limit=3), "limit=3"),
    "Parameter.description": (lambda zoo: "plain: A plain one." in zoo.doc(), True),
    "Parameter.deprecated": (lambda zoo: "old: Deprecated." in zoo.doc(), True),
    "Schema.default": (lambda zoo: "limit: At most. Default: 20." in zoo.doc(), True),
    "Parameter.style": (
        lambda zoo: zoo.query(filter={"a": 1, "b": {"c": ["x", True]}}),
        "filter[a]=1&filter[b][c]=x&filter[b][c]=true",
    ),
    "Parameter.explode": (lambda zoo: zoo.query(ids=[1, 2]), "ids=1|2"),
    "Parameter.content": (lambda zoo: zoo.query(where={"a": [1]}), 'where={"a": [1]}'),
    "Components.schemas Schema.type Schema.properties Schema.title": (
        lambda zoo: zoo.field("name", "Tom"),
        "Tom",
    ),
    "Schema.$ref Schema.additionalProperties": (
        lambda zoo: zoo.field("weights", {"a": {"kg": 1}}),
        lambda zoo: {"a": zoo.models.Weight(kg=1)},
    ),
    "Schema.description": (lambda zoo: "described: Its own text." in " ".join(zoo.models.Animal.__doc__.split()), True),
    "Schema.required Schema.writeOnly": (
        lambda zoo: ({"id", "secret"} & animal(zoo).to_dict().keys(), "secret='***'" in repr(animal(zoo))),
        ({"secret"}, True),
    ),
    "Schema.enum": (lambda zoo: get_args(zoo.models.KnownAnimalSize), ("large", "small")),
    "Schema.const": (lambda zoo: refused(zoo, kingdom="plant"), "kingdom must be 'animal', not another value"),
    "Schema.format": (lambda zoo: zoo.field("born", "2025-01-15"), date(2025, 1, 15)),
    "Schema.nullable": (lambda zoo: animal(zoo, keeper=None).to_dict()["keeper"], None),
    "Schema.deprecated": (lambda zoo: "old: Deprecated." in " ".join(zoo.models.Animal.__doc__.split()), True),
    "Schema.items": (lambda zoo: refused(zoo, tags=[1]), "tags[0] must be a string, not an integer"),
    "Schema.allOf": (
        lambda zoo: repr(zoo.field("heavy", {"kg": 1, "code": "x"})).startswith("Heavy(kg=1, code='***'"),
        True,
    ),
    "Schema.anyOf": (lambda zoo: refused(zoo, either=1), "either must be a string, not an integer"),
    "Schema.oneOf Schema.discriminator Discriminator.propertyName Discriminator.mapping": (
        lambda zoo: [type(zoo.field("pet", {"kind": kind})).__name__ for kind in ("cat", "hound", "owl")],
        ["Cat", "Dog", "dict"],
    ),
    "OpenAPI.servers OpenAPI.security Components.securitySchemes SecurityScheme.type SecurityScheme.name "
    "SecurityScheme.in SecurityScheme.scheme SecurityScheme.flows OAuthFlows.implicit OAuthFlows.password "
    "OAuthFlows.authorizationCode OAuthFlows.clientCredentials TokenFlow.tokenUrl SecurityRequirement.*": (
        lambda zoo: str(inspect.signature(importlib.import_module("zoo.ready").Zoo)).replace("'", "").split(", "),
        [
            *("(*", "base_url: str = https://north.zoo.example.com", "key: str | None = None"),
            *("token: str | None = None", "client_id: str | None = None", "client_secret: str = "),
            *("scopes: Sequence[str] = ()", "token_url: str = https://zoo.example.com/t"),
            *("timeout: float = 30.0", "deadline: float | None = None", "retry_policy: RetryPolicy | None = None"),
            "transport: httpx.BaseTransport | None = None) -> None",
        ],
    ),
    "Pagination.style Pagination.parameter Pagination.items Pagination.next": (
        lambda zoo: re.search(r"_Pages\(.*?\)\n", zoo.written("api/keywords/__init__.py"), re.DOTALL)[0].split()[1:-1],
        [
            "_endpoint._get_kwargs(after=after),",
            "_items,",
            *('style="cursor",', 'parameter="after",', "first=0,", 'path="paging.next"'),
        ],
    ),
    "OpenAPI.components": (lambda zoo: "Animal" in dir(zoo.models), True),
}
BODY = inspect.Parameter("body", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation="Rose | Tree | Oak | Plant")
# What has the name of something else, or is described by more than one keyword.
MORE: list[tuple[Callable[[Zoo], Any], Any]] = [
    (lambda zoo: zoo.query(namespace="a"), "namespace=a"),
    (lambda zoo: type(zoo.resources.visitor).__name__, "VisitorResource"),
    (lambda zoo: type(zoo.resources.page).__name__, "PageResource"),
    (
        lambda zoo: repr(zoo.call("page.set", body={"any": {}})),
        "ResponseModel(any=AnyModel(all=UNSET, additional_properties={}), additional_properties={})",
    ),
    (lambda zoo: zoo.call("visitor.list", body=[{"name": None}])[0].to_dict(), {"name": None}),
    (lambda zoo: zoo.create(day_body="later")["day"], "later"),
    (lambda zoo: [type(zoo.field("egg", {"kind": kind})).__name__ for kind in ("hen", "owl")], ["Hen", "Owl"]),
    (
        lambda zoo: names_of(zoo.field("nest", {"kind": kind}) for kind in ("owl", "Owl", "hen")),
        ["Owl", "dict", "dict"],
    ),
    (
        lambda zoo: names_of(zoo.field("plants", [{"kind": kind} for kind in ("rose", "Tree", "oak", "Oak", "moss")])),
        ["Rose", "Tree", "Oak", "Plant", "Plant"],
    ),
    (lambda zoo: names_of(zoo.field("tree", {"kind": kind}) for kind in ("oak", "Tree", "x")), ["Oak", "Tree", "Tree"]),
    (
        lambda zoo: inspect.signature(zoo.resources.keywords.add_plant),
        inspect.Signature([BODY], return_annotation="Rose | Tree | Oak | Plant | None"),
    ),
    (
        lambda zoo: names_of([zoo.call("keywords.add_plant", zoo.models.Rose(kind="rose"), body={"kind": "oak"})]),
        ["Oak"],
    ),
    (lambda zoo: zoo.field("loose", [None]), [None]),
    (lambda zoo: [zoo.field("rows", rows) for rows in ([], [1], [[1]])], [[], [1], [[1]]]),
    (lambda zoo: refused(zoo, rows=["a"]), "rows[0] must be an array, not a string"),
    (lambda zoo: zoo.field("sized", {"kg": 1}).kg, 1),
    (lambda zoo: zoo.field("sized", {"kg": {"kg": 2}})["kg"].kg, 2),
    (
        lambda zoo: [
            getattr(zoo.models.Animal.from_dict({**ANIMAL, name: "x"}), f"{name}_")
            for name in ("to_dict", "from_dict", "cls", "to_json")
        ],
        ["x"] * 4,
    ),
]


def names_of(values: Iterable[Any]) -> list[str]:
    return [type(each).__name__ for each in values]


def refused(zoo: Zoo, **fields: Any) -> str:
    """Why a field can't be read."""
    with pytest.raises(ValueError) as caught:
        zoo.models.Animal.from_dict({**ANIMAL, **fields})
    return str(caught.value).removeprefix("Animal.").removeprefix("Animal: ")


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zoo]:
    folder = tmp_path_factory.mktemp("keywords")
    command = [TEMPLATES / "generate.py", "--specification", WHOLE, "--output", folder / "zoo"]
    run = subprocess.run([generator.PYTHON, *map(str, command)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    sys.path.insert(0, str(folder))
    try:
        yield Zoo()
    finally:
        sys.path.remove(str(folder))


def test_keyword_is_carried_into_the_code(zoo: Zoo, subtests: pytest.Subtests) -> None:
    for keywords, (shown, expected) in CHECKS.items():
        with subtests.test(keywords=keywords):
            assert shown(zoo) == (expected(zoo) if callable(expected) else expected)


def test_names_and_unions_that_clash_are_told_apart(zoo: Zoo, subtests: pytest.Subtests) -> None:
    for number, (shown, expected) in enumerate(MORE):
        with subtests.test(number=number):
            assert shown(zoo) == expected


def test_call_of_a_deprecated_operation_warns(zoo: Zoo) -> None:
    zoo.body = ANIMAL
    with pytest.warns(DeprecationWarning, match=r"animals\.get is deprecated"):
        zoo.resources.animals.get(7, date(2025, 1, 15), plain="p")


def test_old_names_of_a_field_and_a_parameter_still_work_and_warn(zoo: Zoo) -> None:
    assert zoo.models.Animal.from_dict({**ANIMAL, "hatched": "2025-01-15"}).born == date(2025, 1, 15)
    with pytest.warns(DeprecationWarning, match="hatched is deprecated: use born") as warned:
        old = animal(zoo, hatched="2025-01-15").hatched
    assert (old, [each.filename for each in warned]) == ("2025-01-15", [__file__] * 2)
    zoo.body = ANIMAL
    with pytest.warns(DeprecationWarning, match="is deprecated") as warned:  # the operation is deprecated, too
        zoo.resources.animals.get(7, date(2025, 1, 15), plain="p", former="f")
    assert str(warned[0].message) == "former is deprecated: use new."
    with pytest.raises(TypeError, match="former"):
        zoo.resources.animals.get(7, date(2025, 1, 15), plain="p", former="f", new="n")


def test_query_that_a_style_cannot_represent_is_refused(zoo: Zoo) -> None:
    with pytest.raises(ValueError, match="can't contain null, or a list or object within another"):
        zoo.get(filter={"a": [[1]]})


def test_packages_pass_strict_type_checks(zoo: Zoo, tmp_path: Path) -> None:
    without_models = PAWS.replace(
        '$ref: "#/components/schemas/Paw"', 'type: array, items: { type: [string, "null"] }'
    ).partition("components:")[0]
    for name, text in {"without_models": without_models, "odd_names": PAWS.replace("toes", "src_dict")}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
        options = ["--specification", f"{name}.yaml", "--output", name]
        subprocess.run([generator.PYTHON, str(TEMPLATES / "generate.py"), *options], cwd=tmp_path, check=True)
    package = Path(str(zoo.models.__file__)).parents[1]
    packages = [str(each) for each in (package, tmp_path / "without_models", tmp_path / "odd_names")]
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), *packages]
    run = subprocess.run(command, cwd=package.parent, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


def test_every_keyword_is_checked_or_in_a_document() -> None:
    documents = [yaml.load(path.read_text(), yaml.CSafeLoader) for path in (WHOLE, OWN)]
    in_documents = {each for document in documents for each in used("OpenAPI", document)}
    assert {(kind, keyword) for kind, keyword, verdict, *_ in TABLE if verdict != "refused"} - in_documents == set()
    carried = {f"{kind}.{keyword}" for kind, keyword, verdict, *_ in TABLE if verdict == "carried"}
    of_our_own = {each for each in carried if ".x-" in each}  # test_generated_resources.py and others show these
    assert carried - of_our_own <= {each for keywords in CHECKS for each in keywords.split()}


# An instance of each type with refused keywords, in the document that uses every other keyword.
PLACES = {
    "OpenAPI": "",
    "Encoding": "/paths/~1animals~1{animal_id}~1{day}/patch/requestBody/content/application~1xml/encoding/name",
    "Parameter": "/components/parameters/Limit",
    "Response": "/paths/~1animals~1{animal_id}~1{day}/get/responses/200",
    "Schema": "/components/schemas/Weight",
}
REFUSALS = """
import json, sys
from pathlib import Path
from document import Document, read
from keywords import problems
document = read(Path(sys.argv[1]))
for pointer, keyword in json.load(sys.stdin):
    patched = Document(document.path, "", json.loads(json.dumps(document.data)))
    patched.at(pointer)[keyword] = [{}] if keyword == "prefixItems" else {}
    print(json.dumps([each[:2] for each in problems(patched, own=False)]))
"""


def test_refused_keyword_is_named_with_its_pointer_and_the_reason() -> None:
    rows = [(kind, keyword, note) for kind, keyword, verdict, _, note in TABLE if verdict in ("refused", "own")]
    run = subprocess.run(
        [generator.PYTHON, "-c", REFUSALS, str(WHOLE)],
        input=json.dumps([(PLACES[kind], keyword) for kind, keyword, _ in rows]),
        env={**os.environ, "PYTHONPATH": str(TEMPLATES)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    found = [json.loads(line) for line in run.stdout.splitlines()]
    for (kind, keyword, note), problems in zip(rows, found, strict=True):
        assert [f"{PLACES[kind]}/{keyword}", f"{keyword!r} is not supported: {note}."] in problems


PAWS = """\
openapi: 3.1.0
info: { title: Paws, version: "1" }
paths:
  /paws:
    get:
      operationId: list_paws
      responses:
        "200":
          description: The paws.
          content: { application/json: { schema: { $ref: "#/components/schemas/Paw" } } }
components:
  schemas:
    Paw:
      type: object
      required: [toes]
      properties:
        toes: { type: integer }
"""
PAW = "/components/schemas/Paw"
GET = "/paths/~1paws/get"
TWINS = """\
toes: { anyOf: [{ $ref: "#/components/schemas/B" }, { $ref: "#/components/schemas/C" }] }
    B: { type: object, properties: { b: {} } }
    C: { type: object, properties: { c: {} } }"""
BASES = """\
toes: { $ref: "#/components/schemas/B" }
    B: { type: object, discriminator: { propertyName: weight }, properties: { weight: {} } }
    C: { allOf: [{ $ref: "#/components/schemas/B" }], properties: { b: {} } }
    D: { allOf: [{ $ref: "#/components/schemas/C" }], properties: { c: {} } }"""
BASE = '{ $ref: "#/components/schemas/B" }'
MAP = """\
toes: { oneOf: [{ $ref: "#/components/schemas/Paw" }, { type: object, additionalProperties: { type: object } }] }"""
MIXED = "The variant 'dict[str, PawToesType1AdditionalProperty]' of a union can't be told apart from its other objects."
HINT = "Add a discriminator or a constant property."
# What is replaced in the document above, and the error: its line, pointer and text.
ERRORS = [
    (
        "properties:",
        "propertys:",
        f"16: {PAW}/propertys: Unknown keyword 'propertys' of Schema. Did you mean 'properties'?",
    ),
    ("[toes]", "[toe]", f"15: {PAW}/required/0: The required property 'toe' doesn't exist. Did you mean 'toes'?"),
    (
        "operationId",
        "operationID",
        f"6: {GET}/operationID: Unknown keyword 'operationID' of Operation. Did you mean 'operationId'?",
    ),
    (
        'schemas/Paw"',
        'schemas/Pew"',
        (
            f"10: {GET}/responses/200/content/application~1json/schema: "
            "'#/components/schemas/Pew' refers to nothing. Did you mean 'Paw'?"
        ),
    ),
    ("integer", "int", f"17: {PAW}/properties/toes/type: Unknown type 'int'. Did you mean 'integer'?"),
    ('"200"', '"20"', f"8: {GET}/responses/20: '20' isn't a status, such as '200', '4XX' or 'default'."),
    (
        "type: object",
        "x-secrets: [toes]",
        f"14: {PAW}/x-secrets: Unknown keyword 'x-secrets' of Schema. Did you mean 'x-secret'?",
    ),
    (
        "type: integer }",
        "type: integer, type: string }",
        '17: Found duplicate key "type" with value "string" (original value: "integer").',
    ),
    ("      type", "\ttype", "14: Found character '\\t' that cannot start any token."),
    ("3.1.0", "2.0", "1: /openapi: OpenAPI 3.0 and 3.1 are supported, not version '2.0'."),
    (
        "components:",
        "  /cats: { get: { operationId: listPaws, responses: {} } }\ncomponents:",
        f"11: /paths/~1cats/get/operationId: Two operations have the Python name 'list_paws': the other is {GET}.",
    ),
    (
        "      required",
        "      x-event-family: Paw\n      required",
        f"13: {PAW}: The family 'Paw' has the name of a model.",
    ),
    (
        "toes: { type: integer }",
        TWINS,
        f"17: {PAW}/properties/toes: The variants 'B' and 'C' of a union can't be told apart. " + HINT,
    ),
    (
        "toes: { type: integer }",
        BASES.replace("weight }", "weight, mapping: { x: Paw } }"),
        "18: /components/schemas/B/discriminator/mapping: '#/components/schemas/Paw' isn't a variant.",
    ),
    (
        "toes: { type: integer }",
        BASES.replace("b: {}", "b: {} }, discriminator: { propertyName: size"),
        "19: /components/schemas/C/discriminator: A schema that this one extends has another discriminator.",
    ),
    (
        "description: The paws.",
        "description: The paws.\n          x-wait: { by: wait, until: [clean] }",
        (
            f"10: {GET}/responses/200/x-wait: 'x-wait' is not supported: "
            "only the client of this project's openapi.yaml can carry it out."
        ),
    ),
    (
        "responses:",
        "parameters: [{ in: query }]\n      responses:",
        f"7: {GET}/parameters/0: The keyword 'name' is missing.",
    ),
    (
        "toes: { type: integer }",
        "toes: { oneOf: [{ type: array, items: {} }, { type: array, items: { type: string } }] }",
        f"17: {PAW}/properties/toes/oneOf/1: Two lists of a union can't be told apart.",
    ),
    (
        "toes: { type: integer }",
        MAP,
        f"17: {PAW}/properties/toes/oneOf/1: {MIXED}",
    ),
    (
        "toes: { type: integer }",
        "toes: { x-renamed-from: claws }\n        claws: {}",
        f"13: {PAW}: Two properties have the Python name 'claws'.",
    ),
    (
        "toes: { type: integer }",
        BASES.replace('$ref: "#/components/schemas/B"', f"allOf: [{BASE}, {{ required: [weight] }}]", 1),
        f"17: {PAW}/properties/toes: It extends a schema with a discriminator: write it under '#/components/schemas'.",
    ),
    (
        "type: integer",
        "type: array, items: {}, discriminator: { propertyName: kind }",
        f"17: {PAW}/properties/toes/discriminator: Only has an effect on objects: write it next to their union.",
    ),
    ("type: integer", "type: integer, enum: 5", f"17: {PAW}/properties/toes/enum: Must be an array."),
    ("type: integer", "enum: []", f"17: {PAW}/properties/toes/enum: Must not be empty."),
    (
        "paths:",
        "servers: [{ url: '/{tenant}' }]\npaths:",
        "3: /servers/0/url: The variable 'tenant' isn't described in 'variables'.",
    ),
    (
        "paths:",
        "servers: [{ url: '/{tenant}', variables: { tenant: {} } }]\npaths:",
        "3: /servers/0/variables/tenant: The keyword 'default' is missing.",
    ),
    *(
        (
            "responses:",
            f"requestBody: {{ content: {{ {media_type}: {{ schema: {schema} }} }} }}\n      responses:",
            f"7: {GET}/requestBody/content/{media_type.replace('/', '~1')}{error}",
        )
        for media_type, schema, error in (
            ("multipart/mixed", "{}", ": The media type 'multipart/mixed' of a request is not supported."),
            (
                "multipart/form-data",
                "{ type: string }",
                "/schema: The media type 'multipart/form-data' needs an object.",
            ),
        )
    ),
    ("title: Paws", "title: [Paws]", "2: /info/title: Must be a string."),
    ("type: integer", "oneOf: []", f"17: {PAW}/properties/toes/oneOf: Must not be empty."),
    (
        "schemas:",
        "schemas:\n    Loop: { $ref: '#/components/schemas/Loop' }",
        "13: /components/schemas/Loop: '#/components/schemas/Loop' only refers to other references.",
    ),
    (
        "schemas:",
        "securitySchemes: { key: { type: apiKey, in: body, name: key } }\n  schemas:",
        "12: /components/securitySchemes/key/in: Must be one of query, header, cookie.",
    ),
    (
        "type: integer",
        "enum: [[5]]",
        f"17: {PAW}/properties/toes/enum/0: Must be a string, a number, a boolean or null.",
    ),
    (
        "toes: { type: integer }",
        "toes: { allOf: [{ type: integer }, false] }",
        f"17: {PAW}/properties/toes/allOf/1: No value is valid here.",
    ),
    (
        "responses:",
        "security: [{ keys: [] }]\n      responses:",
        f"7: {GET}/security/0/keys: There is no security scheme 'keys'.",
    ),
    (
        "schemas:",
        "securitySchemes: { key: { type: apiKey, in: query } }\n  schemas:",
        "12: /components/securitySchemes/key: The keyword 'name' is missing.",
    ),
    (
        "responses:",
        "parameters: [{ name: q, in: header, style: deepObject, schema: {} }]\n      responses:",
        f"7: {GET}/parameters/0/style: The style 'deepObject' of a parameter in 'header' is not supported.",
    ),
    (
        "/paws:",
        "/paws/{id}:",
        "5: /paths/~1paws~1{id}/get: Each part in braces of '/paws/{id}' needs a required parameter, and no other.",
    ),
    (
        "schemas:",
        "schemas:\n    Size: { type: string, enum: [s] }\n    KnownSize: { type: object }",
        "13: /components/schemas/Size: The type of its values would have the name of another schema: 'KnownSize'.",
    ),
    (PAWS, "", "1: The document is empty. It must start with 'openapi: 3.0.x' or 'openapi: 3.1.x'."),
    (PAWS, "- a", "1: The document isn't an object. It must start with 'openapi: 3.0.x' or 'openapi: 3.1.x'."),
]


def refusal_of(folder: Path, text: str, *arguments: str) -> str:
    """What the generator says of a document. It writes nothing."""
    (folder / "paws.yaml").write_text(text)
    command = [generator.PYTHON, TEMPLATES / "generate.py", "--specification", "paws.yaml", "--output", "paws"]
    run = subprocess.run([*map(str, command), *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 1, run.stdout
    assert not (folder / "paws").exists()
    return run.stderr.removesuffix("\nNothing was written.\n")


@pytest.mark.parametrize(("old", "new", "error"), ERRORS, ids=range(len(ERRORS)))
def test_error_of_a_document_is_one_line_with_its_place(tmp_path: Path, old: str, new: str, error: str) -> None:
    assert PAWS.count(old) == 1
    assert refusal_of(tmp_path, PAWS.replace(old, new)) == f"paws.yaml:{error}"


@pytest.mark.parametrize(
    ("option", "value", "error"),
    [
        ("--specification", "nowhere.yaml", "Can't read 'nowhere.yaml': No such file or directory."),
        (
            "--specification",
            "https://example.com/openapi.yaml",
            "'https:/example.com/openapi.yaml' is a URL. Download the document and pass the file.",
        ),
        ("--specification", ".", "Can't read '.': Is a directory."),
        *(
            ("--output", name, f"A package can't be called '{name}'. Choose another folder, such as 'shop_client'.\n")
            for name in ("my-shop", "class", "interactor_client")
        ),
    ],
)
def test_wrong_value_of_an_option_is_one_line(tmp_path: Path, option: str, value: str, error: str) -> None:
    assert refusal_of(tmp_path, PAWS, option, value) == error
    assert [path.name for path in tmp_path.iterdir()] == ["paws.yaml"]


# Puts wrong values in each place of a document, or leaves it out: the plan is made, or there is a SpecificationError.
DAMAGE = """
import copy, pathlib, sys
from document import Document, SpecificationError, read
from supported import parse_supported

def places(part, place=()):
    for step, each in part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ():
        yield *place, step
        yield from places(each, (*place, step))

whole, values, number = read(pathlib.Path(sys.argv[1])), (None, "x", 5, True, [], [None], [{}], {}, {"x": 5}), 0
for *path, last in places(whole.data):
    for _ in range(int(sys.argv[2])):
        data = copy.deepcopy(whole.data)
        part = data
        for step in path:
            part = part[step]
        if number % 10 < 9:
            part[last] = values[number % 10]
        else:
            del part[last]
        number += 1
        try:
            parse_supported(Document(whole.path, whole.text, data))
        except SpecificationError:
            pass
        except Exception as error:
            raise RuntimeError(f"{[*path, last]} is {part.get(last) if isinstance(part, dict) else part}") from error
print(number)
"""


@pytest.mark.parametrize(
    ("document", "times"), [pytest.param(WHOLE, 3, marks=pytest.mark.full), (PAWS, 10)], ids=["whole", "paws"]
)
def test_wrong_value_anywhere_is_an_error_of_the_document(tmp_path: Path, document: Path | str, times: int) -> None:
    if isinstance(document, str):
        (tmp_path / "paws.yaml").write_text(document)
    run = subprocess.run(
        [
            generator.PYTHON,
            "-c",
            DAMAGE,
            document if isinstance(document, Path) else tmp_path / "paws.yaml",
            str(times),
        ],
        env={**os.environ, "PYTHONPATH": str(TEMPLATES)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) > 20 * times


def test_problem_that_belongs_to_no_operation_is_an_error_when_the_unsupported_is_skipped(tmp_path: Path) -> None:
    text = PAWS.replace("  schemas:", "  securitySchemes: { key: { type: apiKey, in: body, name: key } }\n  schemas:")
    error = "paws.yaml:12: /components/securitySchemes/key/in: Must be one of query, header, cookie."
    assert refusal_of(tmp_path, text, "--skip-unsupported") == error


def test_typo_in_our_own_document_is_an_error(tmp_path: Path) -> None:
    shutil.copytree(TEMPLATES, tmp_path / "generator-templates", ignore=shutil.ignore_patterns("__pycache__"))
    text = OWN.read_text().replace("x-secret: [", "x-secret_: [", 1)
    line = text.splitlines().index(next(each for each in text.splitlines() if "x-secret_" in each)) + 1
    (tmp_path / "openapi.yaml").write_text(text)
    command = [generator.PYTHON, str(tmp_path / "generator-templates" / "generate.py")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert f"openapi.yaml:{line}: /components/schemas/" in run.stderr
    assert "Unknown keyword 'x-secret_' of Schema. Did you mean 'x-secret'?" in run.stderr


def test_output_keeps_what_the_generator_did_not_write(tmp_path: Path) -> None:
    (tmp_path / "paws.yaml").write_text(PAWS)
    (tmp_path / "notes.txt").write_bytes(b"\xff mine")

    def generate(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [generator.PYTHON, TEMPLATES / "generate.py", "--specification", "paws.yaml", "--output", "."]
        return subprocess.run(
            [*map(str, command), *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    refused = generate()
    assert refused.returncode == 1
    assert "contains files that the generator didn't write: notes.txt, paws.yaml." in refused.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt", "paws.yaml"}
    assert generate("--force").returncode == 0
    assert (tmp_path / "models" / "paw.py").exists()
    (tmp_path / "paws.yaml").write_text(PAWS.replace("Paw:", "Foot:").replace("schemas/Paw", "schemas/Foot"))
    assert generate("--force").returncode == 0
    assert (tmp_path / "models" / "foot.py").exists()
    assert not (tmp_path / "models" / "paw.py").exists()
    assert (tmp_path / "notes.txt").read_bytes() == b"\xff mine"
