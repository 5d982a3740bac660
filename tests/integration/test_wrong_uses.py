"""Every command of `personas`, used wrongly: one line at the end says what to do."""

import socket
from pathlib import Path
from typing import Final

import click
import pytest
from click.testing import CliRunner

from personas_tools.cli import main
from support.commands import every_command
from support.transport import Handlers, connect
from support.world import GROUP, World

NOBODY: Final = "00000000-0000-4000-8000-000000000000"
STORE: Final = ("--table", "{table}", "--group", GROUP)
"""Options of a command on the store: the table of the test, and its group."""

WRONG: Final[tuple[tuple[str, tuple[str, ...], str], ...]] = (
    ("serve", ("--port", "{busy}"), "Port {busy} cannot be used (Address already in use). PORT=… chooses another."),
    ("serve", ("--port", "x"), "Invalid value for '--port': 'x' is not a valid integer."),
    ("openapi", ("more",), "Got unexpected extra argument (more)"),
    ("library load", ("none.yaml", *STORE), "'none.yaml': No such file or directory"),
    ("library load", ("none.yaml", "--table", "t", "--stack", "s"), "'none.yaml': No such file or directory"),
    ("library show", (*STORE, "--kind", "colours"), "'colours' is not one of 'departments', 'colors'"),
    ("profile put", (*STORE, "--name", " ", "--role", "admin"), "Neither --name nor --role may be blank."),
    ("profile put", (*STORE, "--role", "admin"), "Missing option '--name'."),
    ("profile put", (*STORE, "--name", "A", "--role", "admn"), "did you mean 'admin'?"),
    ("profile put", (*STORE, "--name", "A", "--role", "admin", "--department", "Car"), "no entry named 'Car'"),
    ("profile list", ("--table", "{table}"), "Say which group of the deployed store is meant: --group UUID."),
    ("profile list", ("--table", "none", "--group", GROUP), "Check the name and AWS_REGION."),
    ("key issue", (*STORE, "--profile", "Nobody"), "`personas profile list` tells them."),
    ("key issue", (*STORE, "--expires", "soon"), "'soon' is no duration such as 12h, 90d or 6w"),
    ("key list", ("--table", "t", "--stack", "s"), "Give --stack or --table, not both."),
    ("key list", ("--table", "t", "--group", "x"), "'x' is not a UUID"),
    ("key revoke", ("abc", *STORE), "An id has at least 16 characters."),
    ("key revoke", ("0123456789abcdef", *STORE), "No keys of the group have an id that begins so."),
    ("token", ("--profile", NOBODY, *STORE), "Tokens of a deployed stack come from its own issuer."),
    ("restore", STORE, "Missing option '--from-table'."),
    ("restore", ("Nobody", "--version", "1"), "`personas list`"),
    ("restore", ("Nobody",), "Missing option '--version'."),
    ("history", ("Nobody",), "`personas list`"),
    ("history", ("purge", "x", *STORE), "'x' is not a UUID"),
    ("diff", ("Nobody", "1"), "`personas list`"),
    ("listen", (), "No service runs on this machine. Start it with `make run`."),
    ("mcp", ("--url", "localhost:3000"), "'localhost:3000' is no address such as https://personas.example.com."),
    ("smoke", ("more",), "Got unexpected extra argument (more)"),
    ("restore", (*STORE, "--from-table", "none"), "There is no table none beside {table}. Check its name."),
    ("unreadable", (*STORE, "--remove", "x"), "'x' is not a UUID"),
    ("unreadable", (*STORE, "--remove", NOBODY), NOBODY),
    ("list", ("--limit", "0"), "0 is not in the range x>=1."),
    ("list", ("--department", "Carr"), "did you mean 'Care'?"),
    ("show", (), "Missing argument 'NAME|ID'."),
    ("show", ("Nobody",), "`personas list`"),
    ("delete", (NOBODY,), "Say so with --yes."),
    (
        "export",
        ("--persona", NOBODY, "--output", "out.csv"),
        f"No persona has the id {NOBODY}. `personas list` tells the ids.",
    ),
    ("import", ("none.csv",), "File 'none.csv' does not exist."),
)
"""A command, what it is given, and what its last line says."""


def test_no_command_is_left_out() -> None:
    commands = {" ".join(words) for words, command in every_command() if not isinstance(command, click.Group)}
    assert {command for command, _, _ in WRONG} == commands


@pytest.mark.parametrize(("command", "given", "said"), WRONG, ids=lambda part: part if isinstance(part, str) else "")
def test_the_last_line_says_what_to_do(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str, given: tuple[str, ...], said: str
) -> None:
    # Given a group with its catalogue, and a port that is taken
    monkeypatch.chdir(tmp_path)
    connect(monkeypatch, Handlers(world.client()))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        values = {"table": world.aws.names["PersonasTable"], "busy": str(taken.getsockname()[1])}
        arguments = [*command.split(), *(part.format(**values) for part in given)]

        # When the command is used wrongly
        result = CliRunner().invoke(main, arguments, env={"PERSONAS_KEY": world.key("root"), "COLUMNS": "200"})

    # Then it fails, without a traceback, and says in its last line what to do
    assert result.exit_code in {1, 2}
    assert isinstance(result.exception, SystemExit), result.exception
    assert said.format(**values) in result.stderr.splitlines()[-1]
    assert result.stderr.splitlines()[-1].startswith("Error: ")
