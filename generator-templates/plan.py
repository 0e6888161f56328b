"""What the templates print: an API as plain values, with every decision made.

Strings are safe where they are printed: names and types as code; `key`, `path`, `url`, `server` and whatever is called
quoted within double quotes; `title`, `version`, `summary` and `description` within a docstring.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Objects:
    """How the object variants of a union are told apart. Variants are named by their classes."""

    models: tuple[str, ...]
    free: bool
    """Whether objects without a model are among them."""
    discriminator: str
    """The property whose constant tells them apart, quoted; "" if there is none: then they are tried in order."""
    by_constant: dict[str, str]
    """By the constant, quoted."""
    fallback: str
    """The variant for constants that aren't listed; "" if there is none: then the object is kept unchanged."""
    map: Type | None = None
    """The variant for what fits no model; None to keep that unchanged."""


@dataclass(frozen=True, kw_only=True)
class Variants:
    """How the variants of a union are told apart: by the JSON value's type, which no two kinds share."""

    objects: Objects | None
    arrays: tuple[Type, ...]
    """The first that fits is the right one."""
    time: Type | None
    plain: tuple[str, ...]
    """The Python types of values that are kept unchanged."""
    expected: str
    """What a value may be, in words."""


@dataclass(frozen=True, kw_only=True)
class Type:
    """The type of a value."""

    kind: str
    """any, bool, bytes, const, date, datetime, date_or_datetime, dict, int, list, map, model, null, number, str, union.

    An object without documented properties is a map if its values have a type, otherwise a dict.
    """
    annotation: str
    """Without Unset. An enum is closed in requests and open in responses."""
    nullable: bool = False
    const: str = ""
    """The literal, of a const."""
    item: Type | None = None
    """Of a list, or of the values of a map."""
    only: Type | None = None
    """Of a union whose other variants are null, or times like this one."""
    variants: Variants | None = None
    """For other unions. None if anything is allowed: then nothing is checked."""

    @property
    def is_checked(self) -> bool:
        """Whether there are values that don't fit, or that have to be converted."""
        if self.kind == "union":
            return self.only.is_checked if self.only else self.variants is not None
        return self.kind != "any"


@dataclass(frozen=True, kw_only=True)
class Field:
    """A parameter, a body, or a property of a model."""

    key: str
    """Its name in the specification."""
    name: str
    old_name: str
    """`x-renamed-from`: its name before; ""."""
    variable: str
    """Its name as a local variable, which shadows no builtin."""
    type: Type
    required: bool
    description: str
    absent: str = ""
    """`x-absent`: its value if it is null or omitted, even if it is required; "" for UNSET."""
    secret: bool = False
    """Whether it is never shown."""
    numeric_string: bool = False
    """`x-numeric-string`: some servers send the number as text."""
    converted: str = ""
    """`x-accepts` of a list: the function of accepted.py that turns the keyword's other values into the list."""

    attribute: str = ""
    """Its name in the model, if another parameter of the method has that name; otherwise ""."""
    style: str = ""
    """For a parameter: form, comma, spaceDelimited, pipeDelimited, deepObject or json; "" for a text, or a list that
    repeats its name."""
    supplied_by: str = ""
    """`x-supplied-by`: `view` or `stream` if it isn't a keyword of the method."""
    read_only: bool = False
    """Whether only the server sets it."""
    write_only: bool = False
    """Whether no response has it."""
    null_is_sent: bool = False
    """Whether None is sent as null. In a request marked `x-request`, that needs `x-sends-null`; otherwise None is
    omitted."""

    @property
    def annotation(self) -> str:
        if not self.absent:
            return self.type.annotation if self.required else f"{self.type.annotation} | Unset"
        own = self.type.annotation.removesuffix(" | None")
        return f"{own} | None" if self.absent == "None" else own

    @property
    def default(self) -> str:
        """The default; "" if it must be given."""
        if self.required and self.read_only:
            return "ABSENT"
        return self.type.const if self.required else self.absent or "UNSET"

    @property
    def factory(self) -> str:
        """The function that makes the default if it is mutable."""
        return {"[]": "list", "{}": "dict"}.get(self.default, "")


@dataclass(frozen=True, kw_only=True)
class Model:
    """A schema of an object."""

    name: str
    module: str
    description: str
    free: bool
    """Whether no property is documented, so it is a dict."""
    is_request: bool
    """`x-request`: only callers create one. Enums in it are closed, and None is left out."""
    fields: tuple[Field, ...]
    values: Type | None
    """The type of undocumented fields; None if they may be anything."""
    bare: str
    """`x-bare`: the field, quoted, whose content some servers send instead of the whole (`true`: of `data`), or ""."""
    other_names: tuple[tuple[str, str], ...]
    """The key of a field and what it is called elsewhere (`x-other-names`) or was before (`x-renamed-from`); quoted."""
    ensured: bool = False
    """Whether a method `ensure` returns it, and says in an attribute what it did."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """`x-event-family`: the models of events that one stream or webhook mixes, and their union."""

    name: str
    module: str
    models: dict[str, Model]
    """By the constant, quoted; under "", the model for those that aren't listed."""


@dataclass(frozen=True, kw_only=True)
class Enumeration:
    """A schema with a list of values."""

    name: str
    module: str
    description: str
    literals: tuple[str, ...]
    value_type: str


@dataclass(frozen=True, kw_only=True)
class Body:
    """The body of a request."""

    field: Field
    argument: str
    """httpx's argument: json, data, files or content."""
    null: bool
    """Whether it's JSON that can be null."""
    media_type: str
    """For the header, quoted; "" if httpx sets it."""
    model: tuple[str, str] | None
    """The module and the name of the model whose fields are keywords of the method; None if the body is one keyword."""
    fields: tuple[Field, ...]
    """Those keywords."""
    part_types: dict[str, str]
    """The media types that the document specifies for parts of a multipart body."""
    ensured_by: tuple[str, ...] = ()
    """`x-ensured-by`: the fields that identify what is created."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A documented response with a body."""

    statuses: tuple[int, int]
    """The first and the last."""
    source: str
    """The code of its value; "" if that is read from JSON."""
    type: Type


@dataclass(frozen=True, kw_only=True)
class Answers:
    """The responses of an operation; none for a stream."""

    successes: tuple[Answer, ...]
    errors: tuple[Answer, ...]
    optional: bool
    """Whether there is a success without a body."""

    @property
    def success(self) -> str:
        """The type of a parsed success."""
        return _either([each.type.annotation for each in self.successes] + ["None"] * self.optional)

    @property
    def parsed(self) -> str:
        """The type of any parsed response."""
        success = [self.success] if self.successes else []
        return _either(success + [each.type.annotation for each in self.errors]) or "None"

    @staticmethod
    def by_status(answers: Sequence[Answer]) -> list[Answer]:
        """Those whose type differs from the last one's. The last one is read for every other status."""
        return [each for each in answers if each.type.annotation != answers[-1].type.annotation]


@dataclass(frozen=True, kw_only=True)
class Pages:
    """`x-pagination`: how to request all pages of a list."""

    mark: str
    """The code of the arguments that describe them."""
    items: str
    """The code of the list of items in `body`."""
    item: Type


@dataclass(frozen=True, kw_only=True)
class Credential:
    """How requests authenticate according to a security scheme."""

    keywords: tuple[str, ...]
    """Keywords of the client; none if the scheme isn't supported."""
    place: str = ""
    """auth, grant, header or query."""
    name: str = "authorization"
    """Of the header, in lower case, or the query parameter; otherwise of the scheme."""
    value: str = ""
    """Its code."""
    token_url: str = ""


@dataclass(frozen=True, kw_only=True)
class Operation:
    """An operation, as the functions of its module and as a method of the resource class of its tag."""

    id: str
    tag: str
    http_method: str
    path: str
    """With its parameters' names in braces."""
    url: str
    """Its f-string; without parameters, the string."""
    server: str
    summary: str
    description: str
    deprecated: bool
    path_fields: tuple[Field, ...]
    query_fields: tuple[Field, ...]
    header_fields: tuple[Field, ...]
    cookie_fields: tuple[Field, ...]
    accept: str
    """The media types of the responses for the header, quoted; "" if they are all JSON."""
    body: Body | None
    answers: Answers

    method: str
    positional: tuple[Field, ...]
    """`x-positional`: the fields of the body that the method also accepts by position, after the path's."""
    keywords: tuple[Field, ...]
    """The query and header parameters of the method, without those that the view around it supplies."""
    outcome: str
    """How the method returns a success: stream, page, data (without the envelope), parts, whole or none."""
    result: Type
    """What it returns: the list of items of a page, an event of a stream, one of the parts."""
    parts: str = ""
    """How a success can be read while it arrives: events, lines or bytes; ""."""
    pages: Pages | None = None
    waits_by: str = ""
    """`x-wait` of a response: the client's method that carries out a method `wait`; ""."""
    waits_until: tuple[str, ...] = ()
    """The statuses that it waits for by default."""
    asks: str = ""
    """`x-asks` of a response: the model that a method `question` returns; ""."""

    @property
    def takes_key(self) -> bool:
        return any(each.key.lower() == "idempotency-key" for each in self.header_fields)

    @property
    def counted(self) -> Operation:
        """The operation for `iterate`, which counts the pages itself."""
        return replace(self, keywords=tuple(each for each in self.keywords if each.key != "page"))

    @property
    def body_fields(self) -> tuple[Field, ...]:
        """The body's fields that are keywords of the method."""
        return self.body.fields if self.body else ()


@dataclass(frozen=True, kw_only=True)
class Tag:
    """The operations of a tag."""

    name: str
    class_name: str
    description: str
    also_called: tuple[str, ...]
    """`x-also-called`: quoted."""
    operations: tuple[Operation, ...]

    @property
    def changeable(self) -> tuple[str, ...]:
        """The fields that `update` accepts."""
        return tuple(field.name for each in self.operations if each.method == "update" for field in each.body_fields)

    @property
    def filters(self) -> tuple[str, ...]:
        """The keywords of `list`."""
        return tuple(field.name for each in self.operations if each.method == "list" for field in each.keywords)


@dataclass(frozen=True, kw_only=True)
class Api:
    """An API."""

    title: str
    version: str
    tags: tuple[Tag, ...]
    methods: dict[str, str]
    """The method of each operation, with its tag: `assistants.create`."""
    methods_by_written_id: dict[str, str]
    """The same by the specification's ids, quoted, which its descriptions use to name operations."""
    models: tuple[Model, ...]
    enums: tuple[Enumeration, ...]
    families: tuple[Family, ...]
    server: str = ""
    credentials: tuple[Credential, ...] = ()
    is_secured: bool = False
    """Whether every operation requires one of the credentials, unless it says otherwise."""

    @property
    def classes(self) -> list[tuple[str, str]]:
        """What the package of the models exports, each with its module."""
        known = [(f"Known{each.name}", each.module) for each in self.enums]
        return sorted([*known, *((each.name, each.module) for each in (*self.models, *self.enums, *self.families))])


def _either(annotations: list[str]) -> str:
    return " | ".join(dict.fromkeys(annotations))
