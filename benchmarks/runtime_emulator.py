"""A built function in the Lambda runtime emulator of the aws-sam-cli wheel, with awslambdaric as the runtime."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from personas_tools.bundle import layers, native_architecture

ROOT: Final = Path(__file__).resolve().parents[1]
BUILD: Final = ROOT / ".aws-sam" / "local" / "build"
RUNTIME: Final = ROOT / ".local" / "runtime" / "bin" / "python"
RAPID: Final = ROOT / ".local/sam/lib/python3.13/site-packages/samcli/local/rapid"
EMULATOR: Final = RAPID / f"aws-lambda-rie-{native_architecture()}"
INVOCATIONS: Final = "/2015-03-31/functions/function/invocations"
"""The path at which the emulator takes an event by POST. It runs one at a time."""
_PATIENCE: Final = 30.0


def require() -> None:
    """End the program where something is not there that `make` has to build."""
    for needed in (BUILD, RUNTIME, EMULATOR):
        if not needed.exists():
            raise SystemExit(f"There is no {needed}: make build-local .local/runtime/.ready")


def process_environment(folder: Path) -> dict[str, str]:
    """Return the variables by which the process of the function in ``folder`` finds its code and keeps it as it is."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(folder), *(str(layer / "python") for layer in layers(BUILD))]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@contextlib.contextmanager
def emulated(folder: Path, environment: Mapping[str, str], log: int) -> Iterator[int]:
    """Run the emulator around the function in ``folder``, logging to a descriptor, and yield the port for its events.

    The function starts with the first event. The environment is the whole one.
    """
    port, runtime_port = _free_ports()
    command: list[str | Path] = [EMULATOR, "--log-level", "info"]
    command += ["--runtime-interface-emulator-address", f"127.0.0.1:{port}"]
    command += ["--runtime-api-address", f"127.0.0.1:{runtime_port}"]
    command += [RUNTIME, "-m", "awslambdaric", "handler.lambda_handler"]
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        ends = time.monotonic() + _PATIENCE
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > ends:
                raise SystemExit(f"The runtime emulator did not start for {folder.name}.")
            time.sleep(0.02)
        yield port
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _free_ports() -> tuple[int, int]:
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", 0))
        return first.getsockname()[1], second.getsockname()[1]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
