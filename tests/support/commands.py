"""The commands of `personas`, as a tree."""

import subprocess
import sys
from collections.abc import Iterator

import click

from personas_tools.cli import main


def every_command(group: click.Group = main, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command and group below a group, with the words by which it is called."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from every_command(command, *path, name)


def modules_of(*arguments: str) -> set[str]:
    """Return the names of all modules that a process has imported when a command has run in it."""
    program = f"import sys; from personas_tools.cli import main; main({arguments!r}, standalone_mode=False)"
    listing = f"{program}; print(*sys.modules, file=sys.stderr)"
    ran = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)
    return set(ran.stderr.split())
