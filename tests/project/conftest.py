"""The command line as it is: every command with its flags."""

from typing import Any

import pytest
import typer
from typer.main import get_command


def _walk(command: Any, path: tuple[str, ...]) -> dict[tuple[str, ...], Any]:
    if not hasattr(command, "list_commands"):
        return {path: command}
    context = command.context_class(command)
    found = {path: command}
    for name in command.list_commands(context):
        found |= _walk(command.get_command(context, name), (*path, name))
    return found


@pytest.fixture(scope="session")
def commands() -> dict[tuple[str, ...], Any]:
    """Every command and group by the words that call it, ``("eval", "run")``; the whole is ``()``."""
    from countersign import main

    # Groups may be named in the module too; the whole is the one that holds them.
    apps = [value for value in vars(main).values() if isinstance(value, typer.Typer)]
    return max((_walk(get_command(app), ()) for app in apps), key=len)
