"""The steps of a trial: calls as clients make them, and what has to be answered."""

import csv
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pydantic_core

from personas_tools.http_api import Answer, Api

BULK: Final = 1_000
EXPORT_BYTES: Final = 8 * 1024 * 1024
"""An export of more is written in several parts."""
REVOKED_WITHIN: Final = 60.0
_POLL: Final = 1.0
_ROUNDS: Final = 4

_INSTRUCTIONS: Final = "Agree too fast, then ask what was meant. "
_LONG: Final = 31_900
_IN_A_CALL: Final = 80
"""Personas with a text of 31,900 characters: 2.6 MB of the 4 that a call may have."""


class SmokeError(Exception):
    """The deployment did not do what it has to; the message says what."""


def expect(told: object, wanted: object, what: str) -> None:
    """Accept what was told.

    Raises:
        SmokeError: it is not what has to be.
    """
    if told != wanted:
        raise SmokeError(f"{what}: {told!r} instead of {wanted!r}")


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller of the deployment."""

    api: Api

    def call(self, operation: str, body: Mapping[str, object], status: int = 200, *, key: str | None = None) -> Any:
        """Return the body of an answer.

        Raises:
            SmokeError: it has another status.
            ApiError: there is none.
        """
        answer = self.send(operation, body, key)
        if answer.status != status:
            raise SmokeError(f"{operation} answered {answer.told} instead of {status}")
        return answer.body

    def send(self, operation: str, body: Mapping[str, object], key: str | None = None) -> Answer:
        """Send a call, under an Idempotency-Key or without one, and return its answer."""
        return self.api.call(operation, pydantic_core.to_json(body), idempotency_key=key)


def session(caller: Caller) -> None:
    """Walk through the README's session: a form, a draft, a conflict, the persona, its copy, an update, their end."""
    form = caller.call("get", {"color_search": "teal", "icon_search": "mortar", "field_search": "anxious"})
    expect((form["persona_exists"], form["can_edit"]), (False, True), "the blank form")
    ids = {name: form[name]["resources"][0]["id"] for name in ("colors", "icons", "parameter_fields")}
    draft = caller.call("draft", {"name": "Iris Quandt, new team lead"})["draft_id"]
    selected = {
        "color_id": ids["colors"],
        "icon_id": ids["icons"],
        "department_ids": [form["departments"]["resources"][0]["department_id"]],
        "parameter_field_ids": [ids["parameter_fields"]],
        "active_flag_id": form["flags"]["resources"][0]["flag_option_id"],
    }
    caller.call("draft", {"input_draft_id": draft, "expected_version": 1, **selected})
    texts = {"instructions": _INSTRUCTIONS.strip(), "examples": ["Sure, no problem. Wait, which report?"]}
    state = caller.call("draft", {"input_draft_id": draft, "expected_version": 2, **texts})["form_state"]
    stale = caller.call("draft", {"input_draft_id": draft, "expected_version": 2, "name": "Too late"}, 409)
    expect((stale["code"], stale["current_version"]), ("version_conflict", 3), "a stale patch")
    expect([each["id"] for each in caller.call("drafts", {})["entries"]], [draft], "the list of drafts")

    (made,) = caller.call("create", {"personas": [state]})["results"]
    persona = {"persona_id": made["persona_id"]}
    body = caller.call("get", persona)
    told = body["version"], body["names"]["resource"]["name"], body["examples"]["current"][0]["example"]
    expect(told, (1, "Iris Quandt, new team lead", texts["examples"][0]), "the persona")
    copy = caller.call("duplicate", persona)["persona_id"]
    expect(caller.call("get", {"persona_id": copy})["flags"]["current"], None, "the flag of a copy")
    item = {**persona, "expected_version": 1, "name": "Iris Quandt, team lead"}
    expect(caller.call("update", {"personas": [item]})["results"][0]["version"], 2, "the version of an update")
    expect(caller.call("update", {"personas": [item]}, 409)["code"], "version_conflict", "a stale update")
    gone = caller.call("delete", {"persona_ids": [made["persona_id"], copy]})["results"]
    expect([each["success"] for each in gone], [True, True], "the deletion of both")
    expect(caller.call("get", persona, 404)["code"], "not_found", "a deleted persona")
    caller.call("docs", {})


def bulk(caller: Caller) -> list[str]:
    """Create 1,000 personas by one call of 3.8 MB, and return their ids."""
    items = [_persona(number, f"{number}: {_INSTRUCTIONS * 90}") for number in range(BULK)]
    return _created(caller, items)


def refresh(caller: Caller, ids: Sequence[str]) -> None:
    """Make the views, and find all personas by them."""
    views = caller.call("refresh", {})["refreshed_views"]
    expect(sorted(views), ["personas_export", "personas_search", "personas_texts"], "the refreshed views")
    expect(caller.call("search", {"search": "smoke"})["total_count"], len(ids), "the personas that a search finds")
    offered = caller.call("get", {})["names"]["suggestions"]
    expect(bool(offered), wanted=True, what="that the form suggests names")


def export(caller: Caller, ids: list[str], folder: Path, exported: Callable[[str], None]) -> int:
    """Export more than 8 MB, and download the file; ``exported`` is told the id. Return the bytes."""
    for first in range(BULK, BULK + 2 * _IN_A_CALL, _IN_A_CALL):
        long = [_persona(number, f"{number}: {'x' * _LONG}") for number in range(first, first + _IN_A_CALL)]
        ids += _created(caller, long)
    answer = caller.call("export", {})
    exported(answer["upload_id"])
    file = folder / "export.csv"
    caller.api.download(answer["upload_id"], file)
    csv.field_size_limit(2 * _LONG)
    with file.open(encoding="utf-8-sig", newline="") as text:
        rows = {row["persona_id"]: row["instructions"] for row in csv.DictReader(text, strict=True)}
    expect((answer["row_count"], rows.keys()), (len(ids), set(ids)), "the rows of the export")
    expect(rows[ids[-1]].count("x"), _LONG, "the length of the last text")
    size = file.stat().st_size
    expect(size > EXPORT_BYTES, wanted=True, what=f"that {size} bytes are more than 8 MB")
    return size


def refused(caller: Caller, revoked_at: float) -> float:
    """Wait until a revoked key is refused, and return how many seconds after its revocation it was.

    Raises:
        SmokeError: it is still accepted after 60 s.
    """
    while True:
        asked_at = time.monotonic()
        if caller.send("get", {}).status == HTTPStatus.UNAUTHORIZED:
            return asked_at - revoked_at
        if asked_at - revoked_at > REVOKED_WITHIN:
            raise SmokeError(f"the revoked key is still accepted {asked_at - revoked_at:.0f} s after its revocation")
        time.sleep(_POLL)


def _persona(number: int, instructions: str) -> dict[str, object]:
    return {"name": f"Smoke {number:04}", "color": "Teal", "icon": "Mortarboard", "instructions": instructions}


def _created(caller: Caller, items: Sequence[Mapping[str, object]]) -> list[str]:
    """Create personas by one call. The part that it has no time for is sent again, and nothing is made twice."""
    key = str(uuid4())
    results: list[dict[str, Any]] = []
    for _ in range(_ROUNDS):
        results = caller.call("create", {"personas": items}, key=key)["results"]
        if all(each["success"] for each in results):
            break
    failed = [each["message"] for each in results if not each["success"]]
    expect((len(results), failed[:1]), (len(items), []), "the results of a bulk call")
    return [each["persona_id"] for each in results]
