"""The garbage collector, which is kept out of the start of a function, and out of no other process."""

import os
import subprocess
import sys

import pytest

from support.aws import Aws

STATE = "print(gc.isenabled(), gc.get_threshold()[0], gc.get_freeze_count() > 0)"


def state_after(program: str, **added: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "AWS_LAMBDA_FUNCTION_NAME"} | added
    command = [sys.executable, "-c", f"import gc; {program}; {STATE}"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize(
    ("added", "state"),
    [({}, "True 2000 False"), ({"AWS_LAMBDA_FUNCTION_NAME": "get"}, "False 2000 False")],
    ids=["any process", "a function"],
)
def test_an_import_stops_it_only_in_a_function(added: dict[str, str], state: str) -> None:
    assert state_after("import personas", **added) == state


def test_it_works_again_once_a_function_has_started(aws: Aws) -> None:
    # Given a function's process, when it has put its services together,
    state = state_after("from personas.services import services; services()", **aws.environment)
    # then the collector works, and leaves alone what the start has made.
    assert state == "True 100000 True"
