"""The command `personas serve`: the whole service on this machine."""

import contextlib
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

import click
import uvicorn

from personas.errors import PersonasError
from personas_tools import reference
from personas_tools import stack as local
from personas_tools.background import Background
from personas_tools.demo import load_if_empty
from personas_tools.emulator import EmulatorError
from personas_tools.gateway import Gateway
from personas_tools.library_file import LibraryError
from personas_tools.payload import document
from personas_tools.reloading import Reloader
from personas_tools.streams import Stream, StreamReader
from personas_tools.workers import LAYER_AND_LIBRARIES, LIBRARIES, Workers

_DRAIN: Final = 30
"""Seconds for requests under way when the server has to stop: no function runs longer."""


@click.command("serve")
@click.option(
    "--port", type=int, default=3000, show_default=True, envvar="PORT", help="Port of the API; 0: a free one."
)
@click.option("--parallel", type=click.IntRange(1, 64), default=8, show_default=True, help="Functions at a time.")
@click.option("--reload", is_flag=True, help="Run changed code from the next request on.")
@click.option("--demo/--no-demo", default=True, show_default=True, help="Load the demo into an empty store.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=local.ROOT / ".local",
    envvar="PERSONAS_LOCAL",
    help="Where data, logs and the local signing key are kept.  [default: .local]",
)
def serve(port: int, parallel: int, reload: bool, demo: bool, folder: Path) -> None:
    """Run the whole service on this machine until Ctrl-C; the data is kept.

    Serves the functions of template.yaml as API Gateway and Lambda would, on an emulated DynamoDB and S3.
    """
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, _interrupt)
    signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    began = time.monotonic()
    workers: Workers | None = None
    with _listen(port) as listener:
        emulator = local.emulator(folder)
        try:
            stack = local.LocalStack(emulator.launch(), folder=folder, port=listener.getsockname()[1])
            preloaded = LIBRARIES if reload else LAYER_AND_LIBRARIES
            workers = Workers(stack.functions, folder / "logs" / "functions.log", parallel, preloaded)
            emulator.wait()
            stack.create_missing()
            lines = load_if_empty(stack) if demo else []
            with ThreadPoolExecutor(4) as threads:
                ready = dict(zip(stack.routes.values(), threads.map(workers.warm, stack.routes.values()), strict=True))
            for name in (name for name, well in ready.items() if not well):
                click.secho(f"{name} cannot be started; see {folder / 'logs' / 'functions.log'}", fg="red", err=True)
            lines = [f"Ready in {time.monotonic() - began:.1f} s.", *lines]
            with _reloading(stack, workers) if reload else contextlib.nullcontext():
                _serve(stack, workers, listener, lines)
        except KeyboardInterrupt:
            pass
        except (EmulatorError, local.StackError, LibraryError, PersonasError) as error:
            raise click.ClickException(str(error)) from error
        finally:
            for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(signum, signal.SIG_IGN)  # a second Ctrl-C must not cut off the saving
            if workers is not None:
                workers.close()
            try:
                emulator.stop()
            except EmulatorError as error:
                raise click.ClickException(str(error)) from error
    click.echo("Stopped; the data is kept.")


class _Server(uvicorn.Server):
    """A server that announces when it listens."""

    def __init__(self, config: uvicorn.Config, banner: str) -> None:
        super().__init__(config)
        self._banner = banner

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve, then print the banner."""
        await super().startup(sockets)
        click.echo(self._banner)


def _serve(stack: local.LocalStack, workers: Workers, listener: socket.socket, lines: list[str]) -> None:
    pages = reference.pages(store=stack.endpoint) | {local.JWKS_PATH: document(200, stack.jwks())}
    gateway = Gateway(stack.routes, stack.cors, workers, pages=pages)
    config = uvicorn.Config(
        gateway,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_DRAIN,
    )
    background = Background(stack.sqs(), workers, stack.schedules, stack.queue_sources)
    readers = [
        StreamReader(Stream(stack.streams(), source.table), source, workers, stack.s3(), stack.names["Bucket"])
        for source in stack.stream_sources
    ]
    with background, contextlib.ExitStack() as reading:
        try:
            for reader in readers:
                reading.enter_context(reader)
            _Server(
                config,
                "\n".join([f"Personas API at {stack.address}", f"Read it and try it at {stack.address}/", *lines]),
            ).run(sockets=[listener])
        finally:
            background.stop()
            reading.close()  # hands over the last writes, for which it needs the workers
            workers.close()  # or the end waits for a function in the background


def _reloading(stack: local.LocalStack, workers: Workers) -> Reloader:
    def renew() -> None:
        workers.renew()
        click.echo("The code has changed; functions start anew.", err=True)

    folders = {Path(folder) for function in stack.functions for folder in (function.code, *function.layers)}
    return Reloader(sorted(folders), renew)


def _listen(port: int) -> socket.socket:
    # asyncio turns Nagle's algorithm off where it reads that this is TCP; with it, every answer waits 40 ms for an ACK.
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise click.ClickException(f"Port {port} cannot be used ({error.strerror}). PORT=… chooses another.") from error
    return listener


def _interrupt(signum: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
