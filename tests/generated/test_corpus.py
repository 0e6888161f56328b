"""Documents that nobody here wrote: their packages are typed, and each operation gets an answer from a mock server.

Three live in `tests/support/foreign_specs/`; others come from npm, the larger ones in the nightly run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import generator
from tests.support.cases import nightly
from tests.support.npm import npm_package
from tests.support.pages import DOCS, ROOT, blocks
from tests.support.ports import free_port
from tests.support.waiting import eventually

generator.skip_without_generator()

pytestmark = pytest.mark.full

SPECIFICATIONS = ROOT / "tests" / "support" / "foreign_specs"
VISIT = next(each.code for each in blocks(DOCS / "how-to" / "generate-your-own-client.md") if each.title == "visit.py")
# By document: the npm package that has it, its path there, and how many operations are left out.
OF_NPM = {
    "blockfrost": ("@blockfrost/openapi@0.1.93", "openapi.yaml", 0),
    "directus": ("@directus/specs@15.2.0", "dist/openapi.json", 2),
    "ideal_postcodes": ("@ideal-postcodes/openapi@4.21.0", "dist/openapi.json", 2),
    "readme": ("@readme/oas-examples@8.2.2", "3.1/json/readme.json", 0),
    "security": ("@readme/oas-examples@8.2.2", "3.1/json/security.json", 0),
    "star_trek": ("@readme/oas-examples@8.2.2", "3.0/json/star-trek.json", 0),
    "train_travel": ("@readme/oas-examples@8.2.2", "3.1/json/train-travel.json", 0),
}
SMALL = {"security", "train_travel"}


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NO_PROXY": "*", "PYTHONPATH": str(folder)}
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    return ended


@contextmanager
def mocked(folder: Path, prism: Path, specification: Path) -> Iterator[str]:
    """The URL of a mock server of the document."""
    port = free_port()
    log = folder / "prism.log"
    with log.open("w") as output:
        command = ["node", str(prism / "node_modules/.bin/prism"), "mock", "-p", str(port), str(specification)]
        server = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        eventually(lambda: "Prism is listening" in log.read_text(), "the mock server listens")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


def check(folder: Path, prism: Path, specification: Path, name: str, left_out: int = 0) -> None:
    generate = [generator.PYTHON, ROOT / "generator-templates" / "generate.py", "--specification", specification]
    skip = ["--skip-unsupported"] if left_out else []
    said = run(folder, *map(str, generate), "--output", name, *skip).stderr
    assert said.count("Left out: ") == left_out, said
    cache = str(folder.parent / "mypy_cache")  # for all: most of what it reads is httpx
    run(folder, sys.executable, "-m", "mypy", "--strict", "--cache-dir", cache, name)
    strict = {"include": [name], "typeCheckingMode": "strict", "pythonVersion": "3.11"}
    (folder / "pyrightconfig.json").write_text(json.dumps(strict))
    run(folder, sys.executable, "-m", "pyright", "--pythonpath", sys.executable)
    script = str(ROOT / "tests" / "support" / "call_everything.py")
    with mocked(folder, prism, specification) as url:
        answered = json.loads(run(folder, sys.executable, script, name, url).stdout)
        if name == "museum":
            (folder / "visit.py").write_text(VISIT.replace("https://museum.example.com", url))
            assert run(folder, sys.executable, "visit.py").stdout.startswith("True\n20")
    assert answered
    assert [each for each in answered.items() if not isinstance(each[1], int) or each[1] >= 500] == []


@pytest.mark.parametrize("name", ["galaxy", "museum", "petstore3"])
def test_package_of_a_foreign_document_gets_an_answer_for_each_operation(
    tmp_path: Path, request: pytest.FixtureRequest, name: str
) -> None:
    check(tmp_path, npm_package(request, "@stoplight/prism-cli@5.16.0"), SPECIFICATIONS / f"{name}.yaml", name)


@pytest.mark.parametrize("name", [each if each in SMALL else pytest.param(each, marks=nightly) for each in OF_NPM])
def test_package_of_a_document_from_npm_gets_an_answer_for_each_operation(
    tmp_path: Path, request: pytest.FixtureRequest, name: str
) -> None:
    package, path, left_out = OF_NPM[name]
    specification = npm_package(request, package) / "node_modules" / package.rpartition("@")[0] / path
    check(tmp_path, npm_package(request, "@stoplight/prism-cli@5.16.0"), specification, name, left_out)


PARTS = """\
openapi: 3.1.0
info: { title: Parts, version: "1" }
servers: [{ url: "http://localhost" }]
paths:
  /photos:
    post:
      operationId: add_photo
      description: Unlike `set_photo`.
      parameters:
        - { name: form, in: query, schema: { type: string } }
        - { name: multipart, in: query, schema: { type: string } }
        - { name: body, in: query, schema: { type: string } }
      requestBody:
        required: true
        content:
          application/json: { schema: { type: object, min_properties: 1 } }
          multipart/form-data:
            schema:
              type: object
              required: [photo, about]
              properties:
                photo: { type: string, format: binary }
                covers: { items: { oneOf: [{ type: string, format: binary }, { type: string, const: none }] } }
                about: { type: object, properties: { place: { type: string } } }
                tags: { type: array, items: { type: string }, discriminator: { propertyName: kind } }
            encoding: { photo: { contentType: image/png } }
      responses: { "204": { description: Added. } }
    put:
      operationId: set_photo
      requestBody:
        required: true
        content:
          application/x-www-form-urlencoded:
            schema:
              type: object
              properties: { ids: { type: array, items: { type: integer } }, is_new: { type: boolean } }
      responses: { "200": { description: The photo., content: { image/png: {} } } }
  /notes:
    put:
      operationId: set_note
      parameters: [{ name: X-Tags, in: header, schema: { type: array, items: { type: string } } }]
      requestBody: { required: true, content: { text/csv: { schema: { type: string } } } }
      responses: { "204": { description: Set. } }
  /styled:
    get:
      operationId: get_styled
      parameters: [{ name: a, in: cookie, schema: { type: array, items: { type: string } } }]
      responses: { "204": { description: None. } }
  /broken:
    get:
      operationId: get_broken
      responses:
        "200":
          description: Either.
          content:
            application/json:
              schema:
                oneOf:
                  - { type: object, properties: { a: { type: string } } }
                  - { type: object, properties: { a: { type: string } } }
  /pet:
    get:
      operationId: get_pet
      responses:
        "200":
          description: A pet.
          content: { application/json: { schema: { $ref: "#/components/schemas/Pet" } } }
components:
  schemas:
    Pet: { type: object, discriminator: { propertyName: kind }, properties: { kind: { type: string } } }
    Cat: { allOf: [{ $ref: "#/components/schemas/Pet" }, { properties: { lives: { type: integer } } }] }
    Unused: { type: object, required: [sizes], properties: { size: {} } }
"""
CALLS = """
import email
import httpx
import parts
from parts import Client, File
from parts.api.default import add_photo, set_note, set_photo
from parts.models import AddPhotoBody, AddPhotoBodyAbout, Cat, SetPhotoBody

def answer(request):
    kind, body = request.headers["content-type"], request.read()
    if "multipart" not in kind:
        print(kind, body.decode(), request.headers["accept"], request.headers.get("x-tags"))
        return httpx.Response(200, content=b"PNG")
    print(request.url.query)
    for part in email.message_from_bytes(b"Content-Type: " + kind.encode() + b"\\r\\n\\r\\n" + body).get_payload():
        print(part["Content-Disposition"], part["Content-Type"], part.get_payload(decode=True).decode())
    return httpx.Response(204)

with Client("http://localhost", httpx_args={"transport": httpx.MockTransport(answer)}) as client:
    about = AddPhotoBodyAbout(place="Oslo")
    body = AddPhotoBody(photo=File(b"PNG", "a.png"), about=about, tags=["x", "y"])
    add_photo.sync(client=client, body=body, form_="f", multipart_="m", body_="b")
    covers = [File(b"GIF"), "none"]
    assert AddPhotoBody.from_dict({"photo": File(b"PNG"), "about": {}, "covers": covers}).covers == covers
    print(set_photo.sync(client=client, body=SetPhotoBody(ids=[1, 2], is_new=True)))
    set_note.sync(client=client, body="a;b", x_tags=["x", "y"])
print("Unlike `set_photo`." in add_photo.sync.__doc__)
print(parts.__doc__)
"""
SENT = """\
b'form=f&multipart=m&body=b'
form-data; name="photo"; filename="a.png" image/png PNG
form-data; name="about" application/json {"place": "Oslo"}
form-data; name="tags" None x
form-data; name="tags" None y
application/x-www-form-urlencoded ids=1&ids=2&is_new=true image/png None
b'PNG'
text/csv a;b */* x,y
True
"""
SCHEMA = "/paths/~1photos/post/requestBody/content/application~1json/schema"
LEFT_OUT = (
    f"line 16: {SCHEMA}/min_properties: Unknown keyword 'min_properties' of Schema. Did you mean 'minProperties'?",
    "line 25: /paths/~1photos/post/requestBody/content/multipart~1form-data/schema/properties/tags/discriminator: Only",
    "line 72: /components/schemas/Unused/required/0: The required property 'sizes' doesn't exist. Did you mean 'size'?",
    "GET /styled: line 47: /paths/~1styled/get/parameters/0: The style of the cookie parameter 'a' is not supported",
    "GET /broken: line 57: /paths/~1broken/get/responses/200/content/application~1json/schema: The variants ",
)


def test_files_and_forms_are_sent_and_what_is_unsupported_is_left_out_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "parts.yaml").write_text(PARTS)
    (tmp_path / "calls.py").write_text(CALLS)
    generate = [generator.PYTHON, ROOT / "generator-templates" / "generate.py", "--specification", "parts.yaml"]
    said = run(tmp_path, *map(str, generate), "--output", "parts", "--skip-unsupported").stderr
    assert [f"Left out: {each}" in said for each in LEFT_OUT] == [True] * 5
    printed = run(tmp_path, sys.executable, "calls.py").stdout
    assert printed.startswith(SENT)
    assert [each in " ".join(printed.split()) for each in LEFT_OUT] == [True] * 5
