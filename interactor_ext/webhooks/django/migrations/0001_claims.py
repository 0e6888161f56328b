"""The table of handled events for `router.claim_in`, as created by `PostgresEventStore` and `SQLiteEventStore`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation

from interactor_ext.webhooks._schema import CLAIMS
from interactor_ext.webhooks._sql import DATABASES, statements_of


def _create(_: Any, editor: BaseDatabaseSchemaEditor) -> None:
    vendor = editor.connection.vendor
    if vendor in DATABASES:  # no store uses other databases
        for statement in statements_of(CLAIMS, vendor):
            editor.execute(statement)


def _drop(_: Any, editor: BaseDatabaseSchemaEditor) -> None:
    if editor.connection.vendor in DATABASES:
        editor.execute("DROP TABLE IF EXISTS interactor_webhook_claims")


class Migration(migrations.Migration):
    operations: ClassVar[Sequence[Operation]] = [migrations.RunPython(_create, _drop)]
