"""`sam local invoke` of every event, and the README's session through `sam local start-api`, in Docker.

`make sam-local` runs these where there is a Docker. A container reaches this machine by the address of Docker's bridge,
so the emulator listens there. Set SAM_LOCAL_OPTIONS for more of SAM's options, such as --skip-pull-image.
"""

import contextlib
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from personas_tools import template
from personas_tools.bundle import native_architecture
from personas_tools.demo import load_if_empty
from personas_tools.emulator import Emulator
from personas_tools.stack import REGION, LocalStack
from support.readme import checkout_in, run_session
from support.walk import ROOT, TEMPLATE, Walk, succeeded, targets

BUILD: Final = ROOT / ".aws-sam" / "local" / "build"
SAM: Final = ROOT / ".local" / "sam" / "bin" / "sam"
MINISTACK: Final = ROOT / ".local" / "ministack" / "bin" / "ministack"
_GATEWAY: Final = "{{(index .IPAM.Config 0).Gateway}}"
_PATIENCE: Final = 120.0
_SHOWN: Final = 200
"""So many characters of an answer are shown; `make sam-local` reports what passed."""


def bridge() -> str | None:
    """Return the address at which a container reaches this machine, or None if no Docker answers."""
    docker = shutil.which("docker")
    if docker is None:
        return None
    asked = subprocess.run(
        [docker, "network", "inspect", "bridge", "--format", _GATEWAY], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or None if asked.returncode == 0 else None


pytestmark = [pytest.mark.built, pytest.mark.emulator]


@dataclass(frozen=True)
class Local:
    """The emulated AWS on Docker's bridge, and what every call of SAM needs: its options and its environment."""

    stack: LocalStack
    options: tuple[str | Path, ...]
    environment: dict[str, str]

    def __call__(self, function: str, event: dict[str, Any]) -> object:
        done = subprocess.run(
            [SAM, "local", "invoke", function, "--event", "-", *self.options],
            input=json.dumps(event),
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    """Run a stack with the demo in it, and build a template whose functions look for AWS at Docker's bridge."""
    assert BUILD.is_dir(), "make sam-local"
    address = bridge()
    assert address is not None, "no Docker answers: start one, or set DOCKER_HOST to where it listens"
    folder = tmp_path_factory.mktemp("local")
    emulator = Emulator(MINISTACK, folder, host=address)
    stack = LocalStack(emulator.launch(), folder=folder)
    try:
        emulator.wait()
        with pytest.MonkeyPatch.context() as patch:
            for name, value in stack.access.items():
                patch.setenv(name, value)
            patch.setenv("NO_PROXY", f"127.0.0.1,localhost,{address}")
            patch.setenv("no_proxy", f"127.0.0.1,localhost,{address}")
            stack.create_missing()
            load_if_empty(stack)
            with built_for(stack) as file:
                # SAM asks STS about credentials that it is given; a container has made-up ones without them.
                mine = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
                environment = mine | {"SAM_CLI_TELEMETRY": "0", "AWS_EC2_METADATA_DISABLED": "true"}
                words = ["--template", file, "--region", REGION, "--config-env", "none"]
                words += ["--parameter-overrides", f"Architecture={native_architecture()}"]
                words += ["--layer-cache-basedir", folder / "layers"]
                yield Local(stack, (*words, *shlex.split(os.environ.get("SAM_LOCAL_OPTIONS", ""))), environment)
    finally:
        emulator.stop()


@contextlib.contextmanager
def built_for(stack: LocalStack) -> Iterator[Path]:
    """Write the built template with the names and the address of ``stack`` in its functions' environment."""
    document: Any = deepcopy(template.load(BUILD / "template.yaml"))
    function = next(iter(template.functions(TEMPLATE).values()))
    variables = function.environment_with(stack.names) | {"AWS_ENDPOINT_URL": stack.endpoint}
    document["Globals"]["Function"]["Environment"]["Variables"] = variables
    file = BUILD / "for-sam-local.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    try:
        yield file
    finally:
        file.unlink()


@pytest.fixture(scope="module")
def walk(local: Local) -> Walk:
    """Walk through all events, each by `sam local invoke`."""
    return Walk(local.stack.personas_table, local).run()


@pytest.mark.parametrize("name", targets())
def test_an_invoked_function_answers_its_event(walk: Walk, name: str) -> None:
    sys.stdout.write(f"{name}: {json.dumps(walk.answers[name])[:_SHOWN]}\n")
    assert succeeded(name, walk.answers[name]), walk.answers[name]


@contextlib.contextmanager
def started_api(local: Local, log: Path) -> Iterator[int]:
    """Run `sam local start-api`, ready on a port of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["--host", "127.0.0.1", "--port", str(port), "--warm-containers", "LAZY"]
    with log.open("wb") as file:
        process = subprocess.Popen(
            [SAM, "local", "start-api", *words, *local.options], env=local.environment, stdout=file, stderr=file
        )
    try:
        ends = time.monotonic() + _PATIENCE
        while not listens(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < ends, log.read_text()
            time.sleep(0.2)
        yield port
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(_PATIENCE)


def listens(port: int) -> bool:
    """Return True if something listens on a port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_readme_s_session_holds_through_start_api(
    local: Local, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given the API of the built functions on the demo's store,
    with started_api(local, tmp_path / "sam.log") as port:
        monkeypatch.setenv("PORT", str(port))
        monkeypatch.setenv("PERSONAS_LOCAL", str(local.stack.folder))
        # when the README's blocks are pasted into a shell,
        differences, printed = run_session(checkout_in(tmp_path))
    sys.stdout.write(printed)
    # then each prints what the README says.
    assert differences == [], (tmp_path / "sam.log").read_text()[-3000:]
    assert "HTTP 200" in printed
