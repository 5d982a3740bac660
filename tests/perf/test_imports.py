"""Tests of a handler's imports before its first event: each imported module is part of each cold start."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import pytest

from support.aws import lambda_environment
from support.walk import ROOT, functions

MOST: Final = 650
"""Modules, those of the standard library and of botocore included."""
MOST_OF: Final[Mapping[str, int]] = {"McpFunction": 680}
"""More modules of one that needs them: the MCP server does what seven functions do, in the types of its protocol."""

NEVER: Final = (
    "aws_lambda_powertools.event_handler.openapi.swagger_ui",
    "aws_xray_sdk",
    "boto3",
    "cryptography",
    "jwt",
    "multiprocessing",
    "personas.contract.registry",
    "pydantic.v1",
    "s3transfer",
)
"""Modules that no handler imports; a token or an Idempotency-Key imports the ones that it needs when it comes."""

ONLY: Final[Mapping[str, frozenset[str]]] = {
    "pyroaring": frozenset({"ExportFunction", "McpFunction", "RefreshFunction", "SearchFunction"}),
    "stringzilla": frozenset({"ExportFunction", "McpFunction", "RefreshFunction", "SearchFunction"}),
    "aws_lambda_powertools.utilities.batch": frozenset({"RefreshFunction"}),
    "mcp_types": frozenset({"McpFunction"}),
}
"""Modules that some handlers may import, and no other."""

IMPORT: Final = """
import json, sys
before = {*sys.modules}
import handler
from personas import runtime
clients = {name: getattr(runtime, name).cache_info().currsize for name in ("dynamodb", "s3", "sqs")}
own = [name for name in sys.modules if name not in before and name.partition(".")[0] not in sys.stdlib_module_names]
print(json.dumps({"modules": sorted(sys.modules), "first": own[0], "clients": clients}))
"""


@cache
def imported(logical_id: str) -> dict[str, Any]:
    """Import a function's handler in a process, and return its modules and the AWS clients that it has made."""
    function = functions()[logical_id]
    names = dict.fromkeys(("RefreshQueue",), "https://localhost/queue")
    names |= {each: f"test-{each.lower()}" for each in ("PersonasTable", "IdempotencyTable", "HistoryTable", "Bucket")}
    ran = subprocess.run(
        [sys.executable, "-P", "-c", IMPORT],
        env={
            **os.environ,
            **function.environment_with(names),
            **lambda_environment(function),
            "PYTHONPATH": os.pathsep.join([str(function.folder), str(ROOT / "layers" / "shared")]),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert isinstance(told, dict)
    return told


def within(package: str, modules: list[str]) -> list[str]:
    """Return the modules that are of a package."""
    return [name for name in modules if f"{name}.".startswith(f"{package}.")]


@pytest.mark.parametrize("function", functions())
def test_a_handler_imports_nothing_that_it_does_not_need(function: str) -> None:
    modules = imported(function)["modules"]
    assert within("personas.api", modules)
    forbidden = [*NEVER, *(package for package, users in ONLY.items() if function not in users)]
    assert {package: within(package, modules) for package in forbidden if within(package, modules)} == {}


@pytest.mark.parametrize("function", functions())
def test_a_handler_imports_a_bounded_number_of_modules(function: str) -> None:
    assert len(imported(function)["modules"]) <= MOST_OF.get(function, MOST)


@pytest.mark.parametrize("function", functions())
def test_a_handler_imports_personas_first_which_turns_the_collector_off(function: str) -> None:
    assert imported(function)["first"] == "personas"


@pytest.mark.parametrize("function", functions())
def test_a_start_makes_the_client_of_the_table_and_no_other(function: str) -> None:
    assert imported(function)["clients"] == {"dynamodb": 1, "s3": 0, "sqs": 0}


def test_every_user_of_a_package_is_a_function() -> None:
    assert set().union(*ONLY.values()) <= functions().keys()
