"""Clocks an hour off, in processes of their own on the emulator: nothing is hidden from anybody."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import count
from typing import Final

import pytest

from personas.clock import machine_time
from personas.store.attributes import text
from personas.views.search_views import SEARCH_VIEW
from support.clocks import Apart, apart
from support.views import Views
from support.world import NEEDED, World, result

HOUR: Final = timedelta(hours=1)
NEAR: Final = timedelta(minutes=10)
"""The time that a test may take at most between a write and a look at its stamp."""
_numbers = count()


@pytest.fixture(scope="module")
def processes(emulated: World) -> Iterator[dict[str, Apart]]:
    """Provide environments by the state of their clocks; the witness asks for everything as a new one."""
    names = {"right": timedelta(), "witness": timedelta(), "fast": HOUR, "slow": -HOUR}
    with apart(emulated.aws.environment, {"x-api-key": emulated.key("root")}, names.values()) as started:
        yield dict(zip(names, started, strict=True))


@pytest.mark.emulator
@pytest.mark.parametrize("goes", ["fast", "slow"])
@pytest.mark.parametrize("role", ["writer", "refresher", "reader"])
def test_whoever_has_a_wrong_clock_everybody_finds_everything(
    role: str, goes: str, processes: Mapping[str, Apart], emulated: World
) -> None:
    # Given
    roles = dict.fromkeys(("writer", "refresher", "reader"), processes["right"]) | {role: processes[goes]}
    writer, refresher, reader, witness = *roles.values(), processes["witness"]
    mine = f"{role} {goes} {next(_numbers)}"
    written: list[str] = []
    processes[goes].restart()

    def agree() -> None:
        """Check that warm and new environments find what is written."""
        witness.restart()
        for each in (reader, witness):
            answer = each.call("search", {"search": mine, "page_size": 100})
            assert answer.status == 200, answer.text
            assert [row["name"] for row in answer.body["personas"]] == written

    reader.call("search")
    for step in range(3):
        # When
        if writer.off:
            writer.restart()  # its first write, before which it must learn the time
        answer = writer.call("create", {"personas": [{**NEEDED, "name": f"{mine} {step}"}]})
        written.append(f"{mine} {step}")

        # Then
        agree()
        saved = emulated.stored(str(result(answer)["persona_id"]))
        assert saved is not None
        assert abs(datetime.fromisoformat(text(saved.item, "changed").partition("#")[2]) - machine_time()) < NEAR
        if refresher.off:
            refresher.restart()
        assert SEARCH_VIEW in refresher.call("refresh").body["refreshed_views"]
        agree()
        pointer = Views(emulated).record.pointer(SEARCH_VIEW)
        assert pointer is not None
        assert abs(pointer.watermark - machine_time()) < NEAR
