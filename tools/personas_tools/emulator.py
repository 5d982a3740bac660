"""ministack as a child process: the local DynamoDB and S3, with their data kept in a folder.

The data survive as far as ministack 1.5 lets them: tables live in its memory and are written to the folder when it ends
by SIGTERM or SIGINT, and only then (it offers no way to save while it runs); objects of the bucket are written at
once. So this module takes care that ministack ends that way: it runs in a session of its own, out of reach of the
terminal's Ctrl-C; on Linux the kernel sends it SIGTERM when the server dies; and a start that finds one left over
stops it first. Only the death of ministack itself, by SIGKILL or with the machine, loses what came after the last
clean stop.
"""

import contextlib
import ctypes
import fcntl
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Final
from urllib.parse import urlsplit

START_LIMIT: Final = 60.0
STOP_LIMIT: Final = 120.0
"""Seconds. Saving takes about one for every 30 MB of tables."""
START: Final = Path(__file__).resolve().parents[1] / "ministack_start"
"""The folder of the module with which ministack's Python begins."""
_PR_SET_PDEATHSIG: Final = 1


class EmulatorError(Exception):
    """The emulator cannot be used; the message says why and what to do."""


class Emulator:
    """ministack over the data in one folder. Only one process may be its owner at a time.

    Two locks guard the folder. ``owner.lock`` is held by the server (or a command that works without one).
    ``emulator.lock`` is held by ministack itself, which inherits the open file: as long as it is locked, a ministack
    lives, whatever became of the process that started it, and the pid in the file is truly its own.
    """

    def __init__(
        self,
        binary: Path,
        folder: Path,
        port: int | None = None,
        services: Sequence[str] = ("dynamodb", "dynamodbstreams", "s3", "sqs"),
        host: str = "127.0.0.1",
    ) -> None:
        self._binary = binary
        self._folder = folder
        self._port = port
        self._services = services
        self._host = host
        self._owner: IO[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._loaded = False

    def launch(self) -> str:
        """Start ministack without waiting for it and return its address. Call it from the main thread.

        Raises:
            EmulatorError: another process owns the folder, or the binary is missing.
        """
        if not os.access(self._binary, os.X_OK):
            raise EmulatorError(
                f"There is no ministack at {self._binary}. `make setup` installs it; PERSONAS_MINISTACK names another."
            )
        self._folder.mkdir(parents=True, exist_ok=True)
        self._owner = _lock(self._folder / "owner.lock")
        if self._owner is None:
            owner = (self._folder / "owner.lock").read_text().strip() or "unknown"
            raise EmulatorError(
                f"Another process (pid {owner}) already runs on the data in {self._folder}. Stop it first."
            )
        _write(self._owner, str(os.getpid()))
        try:
            return self._spawn(_stop_leftover(self._folder))
        except BaseException:
            self._release()
            raise

    def wait(self) -> None:
        """Wait until ministack answers.

        Raises:
            EmulatorError: it ended, or gave no answer for a minute.
        """
        process = self._process
        if process is None:
            raise EmulatorError("The emulator was not launched.")
        deadline = time.monotonic() + START_LIMIT
        while not _answers(self._host, self._port or 0):
            if process.poll() is not None:
                raise EmulatorError(f"ministack ended with {process.returncode} at its start. See {self._log_file()}.")
            if time.monotonic() > deadline:
                raise EmulatorError(f"ministack did not answer within {START_LIMIT:.0f} s. See {self._log_file()}.")
            time.sleep(0.03)
        self._loaded = True

    def stop(self) -> None:
        """Stop ministack and wait until its data is on disk.

        Raises:
            EmulatorError: it did not end, or ended without having saved.
        """
        process, self._process = self._process, None
        try:
            if process is not None:
                asked = time.time()
                process.terminate()
                try:
                    process.wait(STOP_LIMIT)
                except subprocess.TimeoutExpired:
                    raise EmulatorError(
                        f"ministack (pid {process.pid}) is still saving after {STOP_LIMIT:.0f} s; it was left alone."
                    ) from None
                saved = self._folder / "state" / "dynamodb.json"
                # A second's tolerance: some file systems keep times no finer.
                if self._loaded and saved.exists() and saved.stat().st_mtime < asked - 1:
                    raise EmulatorError(f"ministack ended without saving its tables. See {self._log_file()}.")
        finally:
            self._release()

    def _spawn(self, alive: IO[str]) -> str:
        self._port = self._port or _free_port(self._host)
        state = self._folder / "state"
        logs = self._folder / "logs"
        for folder in (state, logs):
            folder.mkdir(exist_ok=True)
        address = f"http://{self._host}:{self._port}"
        with alive, self._log_file().open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the emulator that the project, or its developer, names
                [self._binary],
                env={name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
                | {
                    "PYTHONPATH": str(START),
                    "BIND_HOST": self._host,
                    "GATEWAY_PORT": str(self._port),
                    "SERVICES": ",".join(self._services),
                    "PERSIST_STATE": "1",
                    "STATE_DIR": str(state),
                    "S3_PERSIST": "1",
                    "S3_DATA_DIR": str(state / "s3"),
                    "LOG_LEVEL": "WARNING",
                    "IOT_MTLS_ENABLED": "0",
                    "SFTP_ENABLED": "0",
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[alive.fileno()],
                start_new_session=True,
                preexec_fn=_end_with_parent(),  # noqa: PLW1509 - one system call, made before the server has threads
            )
            _write(alive, json.dumps({"pid": self._process.pid, "address": address}))
        return address

    def _log_file(self) -> Path:
        return self._folder / "logs" / "emulator.log"

    def _release(self) -> None:
        if self._owner is not None:
            self._owner.close()
            self._owner = None


def running(folder: Path) -> str | None:
    """Return the address of the ministack that serves the data in ``folder`` now, or None."""
    path = folder / "emulator.lock"
    if not path.exists():
        return None
    free = _lock(path)
    if free is not None:
        free.close()
        return None
    content = path.read_text(encoding="utf-8")
    address: str | None = json.loads(content)["address"] if content else None
    if address is None:
        return None
    place = urlsplit(address)
    return address if _answers(place.hostname or "", place.port or 0) else None


def _stop_leftover(folder: Path) -> IO[str]:
    """End a ministack whose server was killed, so that it saves what it holds; returns the lock that it held."""
    path, asked, deadline = folder / "emulator.lock", False, time.monotonic() + STOP_LIMIT
    while (lock := _lock(path)) is None:
        content = path.read_text(encoding="utf-8")
        if content and not asked:
            asked = True
            with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
                os.kill(json.loads(content)["pid"], signal.SIGTERM)
        if time.monotonic() > deadline:
            raise EmulatorError(f"The ministack of an earlier run does not end; {path} holds its pid.")
        time.sleep(0.05)
    return lock


def _lock(path: Path) -> IO[str] | None:
    """Return the file, locked until it is closed, or None when another process holds it."""
    file = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def _write(file: IO[str], content: str) -> None:
    file.truncate(0)
    file.write(content)
    file.flush()


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/_ministack/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _end_with_parent() -> Callable[[], None] | None:
    """Return the function that the child calls before it becomes ministack.

    On Linux it asks for SIGTERM when the parent dies.
    """
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
