"""What commands print: JSON for programs, tables for people."""

import json
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click

from server.cli.tables import Column, facts, table


def show_json(found: Any) -> None:
    click.echo(json.dumps(found, indent=2, ensure_ascii=False))


def show_list(rows: Iterable[Any], columns: Sequence[Column], as_json: bool) -> None:
    found = list(rows)
    if as_json:
        show_json(found)
    elif found:
        for line in table(found, columns, _terminal_width()):
            click.echo(line)
    elif sys.stdout.isatty():
        click.echo("There are none.", err=True)


def show_one(found: Any, as_json: bool, *names: str) -> None:
    """An object; to people only its attributes of these names, if any are given."""
    if as_json:
        show_json(found)
        return
    kept = {name: found[name] for name in names if name in found} if names else found
    for line in facts(kept):
        click.echo(line)


def _terminal_width() -> int | None:
    """Programs that read what is printed get all of it."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
