"""Every built function runs on its event, in a process of its own, from the folder that it was built into."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from personas_tools.template import TableRequest
from support.emulated import emulated_aws
from support.walk import ROOT, Walk, functions, succeeded, targets

pytestmark = [pytest.mark.built, pytest.mark.emulator]

BUILD: Final = ROOT / ".aws-sam" / "local" / "build"
BOOT: Final = ROOT / "tests" / "support" / "boot.py"
RUNTIME: Final = ROOT / ".local" / "runtime" / "lib" / "python3.13" / "site-packages"
"""The packages of Lambda's runtime."""
RUNTIME_PACKAGES: Final = frozenset({"boto3", "botocore", "dateutil", "s3transfer", "six", "urllib3"})
"""Packages of it that a function uses; all else is the layer's."""
PROCESS: Final = frozenset({"__main__", "__mp_main__"})
"""The script that invokes the function."""


@dataclass
class Processes:
    """An invoker of built functions, each in a process of its own, that keeps what each reported."""

    environment: Mapping[str, str]
    told: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __call__(self, function: str, event: dict[str, Any]) -> object:
        seconds = str(functions()[function].timeout)
        ran = subprocess.run(
            [sys.executable, "-I", "-S", BOOT, BUILD / function, BUILD / "SharedLayer", RUNTIME, seconds],
            input=json.dumps(event),
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        told = json.loads(ran.stdout.splitlines()[-1])
        assert isinstance(told, dict)
        self.told[function] = told
        return told["answer"]


@pytest.fixture(scope="module")
def processes(ministack: str, table_definitions: Mapping[str, TableRequest]) -> Iterator[tuple[Walk, Processes]]:
    """Walk through all events, one process an invocation, on tables of the emulator."""
    assert BUILD.is_dir(), "make test-build"
    assert RUNTIME.is_dir(), "make test-build"
    with emulated_aws(ministack, table_definitions, functions()) as aws:
        credentials = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        invoke = Processes(credentials | dict(aws.environment))
        walk = Walk(aws.names["PersonasTable"], invoke).run()
        # It is only in stacks that name a bus, and has the history's events.
        walk.answers["events"] = invoke("SendEventsFunction", walk.event("stream"))
        yield walk, invoke


@pytest.mark.parametrize("name", [*targets(), "events"])
def test_it_answers_its_event(processes: tuple[Walk, Processes], name: str) -> None:
    answer = processes[0].answers[name]
    assert succeeded(name, answer), answer


@pytest.mark.parametrize("function", functions())
def test_its_code_is_what_was_built(processes: tuple[Walk, Processes], function: str) -> None:
    # Given what a built function had imported when it answered,
    files = processes[1].told[function]["files"]
    # when what the runtime brings is left out,
    own = {name: file for name, file in files.items() if name.partition(".")[0] not in RUNTIME_PACKAGES}
    # then the handler lies in its own folder and all else in the layer.
    assert own.pop("handler") == str(BUILD / function / "handler.py")
    assert "personas.api" in own
    layer = str(BUILD / "SharedLayer" / "python")
    elsewhere = {name for name, file in own.items() if not file.startswith(f"{layer}{os.sep}")}
    assert elsewhere - PROCESS == set()


@pytest.mark.parametrize("function", functions())
def test_nothing_is_compiled_at_its_start(processes: tuple[Walk, Processes], function: str) -> None:
    told = processes[1].told[function]
    ours = {name for name in told["files"] if name.partition(".")[0] not in RUNTIME_PACKAGES | PROCESS}
    assert ours.intersection(told["without_bytecode"]) == set()
