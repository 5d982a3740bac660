"""Every function of the built bundle answers its event on arm64, for which it is deployed: by qemu, without Docker.

`make arm64` unpacks qemu-user and Debian's Python for arm64 into .local/arm64. The functions call the emulator on this
machine. Python is Debian's, not Lambda's; the layer and the functions are the ones that `sam deploy` sends.
"""

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from personas_tools import invocation
from personas_tools.bundle import layers
from personas_tools.template import TableRequest
from personas_tools.workers import Workers
from support.emulated import emulated_aws
from support.walk import ROOT, Walk, functions, succeeded, targets

pytestmark = [pytest.mark.built, pytest.mark.emulator]

BUILD: Final = ROOT / ".aws-sam" / "build"
ARM64: Final = ROOT / ".local" / "arm64"
PYTHON: Final = (str(ARM64 / "qemu-aarch64"), "-L", str(ARM64 / "root"), str(ARM64 / "root/usr/bin/python3.13"))
RUNTIME: Final = ROOT / ".local" / "runtime" / "lib" / "python3.13" / "site-packages"
"""The packages of Lambda's runtime, of which a function uses Python alone, the same for every processor."""
SLOWER: Final = 10
"""A function has so many times its time, for the processor is emulated."""


@pytest.fixture(scope="module")
def walk(
    ministack: str, table_definitions: Mapping[str, TableRequest], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Walk]:
    """Walk through all events, each function in a process of its own, on tables of the emulator."""
    assert BUILD.is_dir(), "make arm64"
    assert ARM64.is_dir(), "make arm64"
    log = tmp_path_factory.mktemp("arm64") / "functions.log"
    layer = layer_folder()
    with emulated_aws(ministack, table_definitions, functions()) as aws:
        credentials = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        deployed = [
            invocation.Function(
                name=name,
                code=str(BUILD / name),
                layers=(str(layer),),
                handler=function.handler,
                timeout=function.timeout * SLOWER,
                memory=function.memory,
                environment=credentials | dict(aws.environment),
                init_limit=invocation.INIT_LIMIT * SLOWER,
            )
            for name, function in functions().items()
        ]
        workers = Workers(deployed, log, python=PYTHON, path=(str(layer), str(RUNTIME)))

        def invoke(function: str, event: dict[str, Any]) -> object:
            outcome = workers.invoke(function, event)
            assert isinstance(outcome, invocation.Answer), f"{outcome}\n{log.read_text(encoding='utf-8')[-3000:]}"
            return outcome.payload

        try:
            yield Walk(aws.names["PersonasTable"], invoke).run()
        finally:
            workers.close()


@pytest.mark.parametrize("name", targets())
def test_it_answers_its_event(walk: Walk, name: str) -> None:
    assert succeeded(name, walk.answers[name]), walk.answers[name]


def test_every_native_library_of_the_layer_can_be_loaded() -> None:
    # Given the libraries of the layer that are no Python, those that no event needs among them,
    layer = layer_folder()
    modules = [module_of(file.relative_to(layer)) for file in layer.rglob("*.so")]
    assert {"pydantic_core._pydantic_core", "pyroaring", "cryptography.hazmat.bindings._rust"} <= set(modules)
    # when an arm64 Python imports each,
    code = "import platform, sys; sys.path.insert(0, sys.argv[1]); list(map(__import__, sys.argv[2:]))"
    done = subprocess.run(
        [*PYTHON, "-I", "-S", "-c", f"{code}; print(platform.machine())", layer, *modules],
        capture_output=True,
        text=True,
        check=False,
    )
    # then it finds all that they link to.
    assert done.stdout == "aarch64\n", done.stderr


def module_of(library: Path) -> str:
    """Return the name by which a native library is imported, given its path in the layer."""
    return ".".join((*library.parent.parts, library.name.partition(".")[0]))


def layer_folder() -> Path:
    """Return the folder of the layer's packages."""
    (layer,) = layers(BUILD)
    return layer / "python"
