"""The table of handled events, as `PostgresEventStore.create` and `SQLiteEventStore` make it, for `router.claim_in`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation

from interactor_ext.webhooks.stores import _postgres, _sqlite

# Other databases have no such table, and no store uses it there.
_SCHEMAS = {"postgresql": _postgres.SCHEMA, "sqlite": _sqlite.SCHEMA}


def _create(_: Any, editor: BaseDatabaseSchemaEditor) -> None:
    for statement in _SCHEMAS.get(editor.connection.vendor, "").split(";"):
        if statement.strip():
            editor.execute(statement)


def _drop(_: Any, editor: BaseDatabaseSchemaEditor) -> None:
    if editor.connection.vendor in _SCHEMAS:
        editor.execute("DROP TABLE IF EXISTS interactor_webhook_claims")


class Migration(migrations.Migration):
    operations: ClassVar[Sequence[Operation]] = [migrations.RunPython(_create, _drop)]
