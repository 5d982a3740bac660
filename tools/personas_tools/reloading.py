"""New execution environments whenever the code of the functions changes."""

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, Self

INTERVAL: Final = 0.5
"""Seconds between two looks at the files."""

type State = frozenset[tuple[Path, int, int]]


class Reloader:
    """A thread that calls ``renew`` after a file of Python or JSON below one of the folders has changed."""

    def __init__(self, folders: Sequence[Path], renew: Callable[[], None], interval: float = INTERVAL) -> None:
        self._folders = folders
        self._renew = renew
        self._interval = interval
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="reload", daemon=True)
        self._seen = self._state()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(self._interval):
            now = self._state()
            if now != self._seen:
                self._seen = now
                self._renew()

    def _state(self) -> State:
        return frozenset(self._files())

    def _files(self) -> Iterator[tuple[Path, int, int]]:
        for folder in self._folders:
            for path in (*folder.rglob("*.py"), *folder.rglob("*.json")):
                try:
                    status = path.stat()
                except FileNotFoundError:
                    continue  # an editor replaces a file while it is saved
                yield path, status.st_mtime_ns, status.st_size
