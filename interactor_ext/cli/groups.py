"""Groups of commands, as their help lists them."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

# Of a description; click cuts it at the width of the terminal.
_MAX_LENGTH = 1000


class Group(TyperGroup):
    """Describes each command in whole sentences, on several lines if necessary."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands."""
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        rows = [(name, each.get_short_help_str(_MAX_LENGTH)) for name, each in commands.items() if each]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def group(description: str, **options: Any) -> typer.Typer:
    """Return a group of commands, which shows its help without arguments."""
    return typer.Typer(cls=Group, help=description, no_args_is_help=True, rich_markup_mode=None, **options)
