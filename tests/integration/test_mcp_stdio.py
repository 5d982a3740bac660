"""`personas mcp` as programs use it: started as a process, by the official SDK's client, against the local service."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import anyio
import pytest
from mcp import Client, MCPError, StdioServerParameters, stdio_client
from mcp_types import CallToolResult, TextContent, TextResourceContents

from personas.contract.mcp import HANDSHAKE, LATEST
from support.server import ROOT

pytestmark = pytest.mark.emulator

NOBODY: Final = "http://127.0.0.1:9"
"""An address at which nothing listens."""
PING: Final = b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n'
ERAS: Final = {"auto": LATEST, "legacy": HANDSHAKE[0]}
"""The modes in which the SDK's client connects, and the revision that it speaks in each."""


@pytest.fixture(params=ERAS)
def mode(request: pytest.FixtureRequest) -> str:
    assert isinstance(request.param, str)
    return request.param


def environment(address: str, key: str) -> dict[str, str]:
    """Return the variables that a configuration of a client gives to the command."""
    path = f"{ROOT / 'tools'}{os.pathsep}{ROOT / 'layers' / 'shared'}"
    return {"PERSONAS_URL": address, "PERSONAS_KEY": key, "PYTHONPATH": path}


COMMAND: Final = (sys.executable, "-m", "personas_tools.cli", "mcp")


def in_session(service: tuple[str, str], mode: str, folder: Path, act: Callable[[Client], Awaitable[None]]) -> str:
    """Start the command as a program does, do something in a session with it, and return its standard error."""
    server = StdioServerParameters(command=COMMAND[0], args=[*COMMAND[1:]], env=environment(*service))

    async def run() -> None:
        with (folder / "errors").open("w") as errors, anyio.fail_after(60):
            async with Client(stdio_client(server, errlog=errors), mode=mode) as client:
                await act(client)

    anyio.run(run)
    return (folder / "errors").read_text()


def started() -> subprocess.Popen[bytes]:
    """Start the command, with a pipe at each end, for a service that is not there."""
    pipe = subprocess.PIPE
    return subprocess.Popen(COMMAND, stdin=pipe, stdout=pipe, stderr=pipe, env=environment(NOBODY, "x"))


def text_of(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


def test_a_session_does_all_that_the_server_offers(service: tuple[str, str], mode: str, tmp_path: Path) -> None:
    async def act(client: Client) -> None:
        assert client.protocol_version == ERAS[mode]
        tools = {each.name for each in (await client.list_tools()).tools}
        assert {"find_personas", "read_persona", "edit_persona"} <= tools
        found = await client.call_tool("find_personas", {"query": "Diallo"})
        assert found.structured_content is not None
        (persona,) = found.structured_content["personas"]
        name = persona["name"]
        read = await client.read_resource(f"persona://{persona['persona_id']}")
        (page,) = read.contents
        assert isinstance(page, TextResourceContents)
        assert page.text.startswith(f"# {name}\n")
        played = await client.get_prompt("play_persona", {"persona": name})
        assert played.description == f"Play {name}."
        failed = await client.call_tool("read_persona", {"persona_id": "b1a1e1c8-0000-4000-8000-000000000000"})
        assert failed.is_error
        assert "find_personas" in text_of(failed)

    assert in_session(service, mode, tmp_path, act) == ""


def test_an_error_of_the_protocol_comes_back(service: tuple[str, str], mode: str, tmp_path: Path) -> None:
    async def act(client: Client) -> None:
        with pytest.raises(MCPError, match="There is no persona of this name"):
            await client.get_prompt("play_persona", {"persona": "N\N{LATIN SMALL LETTER O WITH DIAERESIS}body"})

    assert "prompts/get: There is no persona of this name" in in_session(service, mode, tmp_path, act)


@pytest.mark.parametrize(
    ("fault", "words"),
    [("key", "unknown, expired or revoked. Check the key"), ("address", f"Nobody answers at {NOBODY}")],
)
def test_a_session_that_cannot_begin_says_why(
    service: tuple[str, str], mode: str, fault: str, words: str, tmp_path: Path
) -> None:
    address, key = service
    wrong = (address, "psk.wrong") if fault == "key" else (NOBODY, key)

    async def act(client: Client) -> None:
        pytest.fail("the session has begun")

    with pytest.RaisesGroup(pytest.RaisesExc(MCPError, match=words), flatten_subgroups=True):
        in_session(wrong, mode, tmp_path, act)


def test_only_messages_go_to_standard_output(service: tuple[str, str]) -> None:
    # Given lines of which some are no message,
    lines = ["", "{", PING.decode(), '{"jsonrpc": "2.0", "method": "notifications/initialized"}']
    # when they are the whole input,
    ran = subprocess.run(
        COMMAND, input="\n".join(lines), env=environment(*service), capture_output=True, text=True, check=False
    )
    # then each that wants an answer has one, and the command ends.
    assert (ran.returncode, ran.stderr) == (0, "")
    answers = [json.loads(line) for line in ran.stdout.splitlines()]
    assert {"jsonrpc": "2.0", "id": 1, "result": {}} in answers
    assert [each["error"]["code"] for each in answers if "error" in each] == [-32700] * 3


def test_ctrl_c_ends_it_while_it_waits_for_a_line() -> None:
    # Given a command that waits for a line
    with started() as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(PING)
        process.stdin.flush()
        assert b"Nobody answers" in process.stdout.readline()
        # when the signal comes, then it ends
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == -signal.SIGINT


def test_it_ends_in_order_when_its_client_is_gone() -> None:
    # Given a client that ends after a request,
    with started() as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdin.write(PING)
        process.stdin.close()
        # when the answer has nowhere to go, then the command ends.
        assert b"Traceback" not in process.stderr.read()
        assert process.wait(10) == 0


def test_without_a_key_it_says_so_and_ends() -> None:
    ran = subprocess.run(COMMAND, env=environment(NOBODY, ""), capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "PERSONAS_KEY" in ran.stderr
