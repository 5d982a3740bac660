"""`personas smoke` against the local service: it passes there, finds what is wrong, and leaves nothing behind."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from personas_tools.cli import main
from personas_tools.demo import GROUP
from personas_tools.emulator import running
from personas_tools.http_api import Answer, Api
from personas_tools.smoke import steps
from personas_tools.smoke.steps import Caller, SmokeError
from personas_tools.stack import LocalStack
from support.server import serving

pytestmark = [pytest.mark.emulator, pytest.mark.slow]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Run a service with the demo in it; its folder."""
    folder = tmp_path_factory.mktemp("smoke")
    with serving(folder) as (_, port), pytest.MonkeyPatch.context() as patch:
        patch.setenv("PORT", str(port))
        patch.setenv("PERSONAS_LOCAL", str(folder))
        yield folder


def stored(folder: Path) -> set[tuple[str, str]]:
    """Return the keys of all that is not the demo's in tables and bucket; records of Idempotency-Keys are left out."""
    address = running(folder)
    assert address is not None
    stack = LocalStack(address, folder=folder)
    found = {
        (item["pk"]["S"], item["sk"]["S"])
        for table in ("PersonasTable", "HistoryTable")
        for page in stack.dynamodb().get_paginator("scan").paginate(TableName=stack.names[table])
        for item in page["Items"]
    }
    pages = stack.s3().get_paginator("list_objects_v2").paginate(Bucket=stack.names["Bucket"])
    found |= {("object", each["Key"]) for page in pages for each in page.get("Contents", [])}
    return {key for key in found if GROUP not in "".join(key)}


def smoke() -> Result:
    return CliRunner().invoke(main, ["smoke"], catch_exceptions=False)


def test_the_local_service_passes_and_nothing_is_left_behind(folder: Path) -> None:
    before = stored(folder)
    result = smoke()
    assert result.exit_code == 0, result.output
    assert [line.partition(":")[0] for line in result.output.splitlines()] == [
        "a key is accepted, and revoked",
        "the README's session",
        "1,000 personas by one call",
        "a refresh and a search",
        "an export above 8 MB and its download",
        "the revoked key is refused",
        "All is well. The group is gone; records of its Idempotency-Keys go within a day.",
    ]
    assert stored(folder) == before


def test_a_step_that_fails_is_named_and_nothing_is_left_behind(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a service that answers a copy's call with something else,
    before, call = stored(folder), Api.call

    def mistaken(api: Api, operation: str, body: bytes, **more: Any) -> Answer:
        return call(api, "search" if operation == "duplicate" else operation, body, **more)

    monkeypatch.setattr(Api, "call", mistaken)
    # when it is tried,
    result = smoke()
    # then the trial says so, and clears up all the same.
    assert (result.exit_code, result.output.splitlines()[-1]) == (
        1,
        "Error: the README's session: an answer lacks 'persona_id'",
    )
    assert stored(folder) == before


def test_a_key_that_is_still_accepted_after_a_minute_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a service that goes on to accept a revoked key,
    monkeypatch.setattr(Api, "call", lambda *_, **__: Answer(200, {}))
    monkeypatch.setattr(steps, "REVOKED_WITHIN", 0.0)
    # when its refusal is waited for,
    with Api("http://localhost", "psk.none") as api, pytest.raises(SmokeError, match="still accepted"):
        # then the trial fails.
        steps.refused(Caller(api), 0.0)
