"""The garbage collector's threshold, which is set in the process of a function and in no other."""

import os
import subprocess
import sys

import pytest

PROGRAM = "import gc, personas; print(gc.get_threshold()[0])"


@pytest.mark.parametrize(
    ("added", "threshold"),
    [({}, 2_000), ({"AWS_LAMBDA_FUNCTION_NAME": "get"}, 100_000)],
    ids=["any process", "a function"],
)
def test_an_import_sets_it_only_in_a_function(added: dict[str, str], threshold: int) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "AWS_LAMBDA_FUNCTION_NAME"} | added
    ran = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == str(threshold)
