"""The history that `make run` keeps: every version that was answered, from the stream of the local store.

`make soak-history` makes 10,000 writes; `make test` some hundreds.
"""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from personas_tools.demo import GROUP
from support.server import Session, demo_key, serving
from support.versions import Writing, eventually, recorded, store_of

WRITES = int(os.environ.get("HISTORY_WRITES", "240"))
WRITERS = 4

pytestmark = pytest.mark.emulator


def write(port: int, key: str, writing: Writing, writes: int) -> None:
    with Session(port, key) as session:
        for _ in range(writes):
            writing.act(session.call)


def test_every_version_that_was_answered_is_recorded_as_it_was(tmp_path: Path) -> None:
    # Given four writers at once, each with personas of its own that it creates, changes, deletes and makes again,
    writings = [Writing(number) for number in range(WRITERS)]
    with serving(tmp_path) as (server, port):
        key = demo_key(tmp_path, "superadmin")
        with ThreadPoolExecutor(WRITERS) as threads:
            list(threads.map(lambda writing: write(port, key, writing, WRITES // WRITERS), writings))
        history = store_of(tmp_path)

        # when the stream has been read to its end,
        lines: dict[str, Any] = {persona_id: line for writing in writings for persona_id, line in writing.lines.items()}
        last = {persona_id: line[-1].number for persona_id, line in lines.items()}
        seen = eventually(
            lambda: {
                each: found.records[0].version
                for each in lines
                if (found := history.page(GROUP, each, None, 1)).records
            },
            last,
        )

        # then the history is what was answered, version by version.
        assert seen == last
        for persona_id, line in lines.items():
            assert recorded(history, GROUP, persona_id) == line
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=60) == 0


def test_the_last_writes_before_a_stop_are_recorded(tmp_path: Path) -> None:
    # Given a server that is stopped at once after a write,
    writing = Writing(1, personas=1)
    with serving(tmp_path) as (server, port):
        write(port, demo_key(tmp_path, "superadmin"), writing, 10)
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=60) == 0
    # when it is started again, with a stream that knows nothing of that,
    with serving(tmp_path) as (server, _):
        history = store_of(tmp_path)
        # then the write is in the history.
        for persona_id, line in writing.lines.items():
            assert recorded(history, GROUP, persona_id) == line
