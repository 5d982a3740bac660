"""The whole local stack under many clients, and after its death.

`make soak` runs the drafts at the size that the issue names (200 drafts, 50 patches each, 8 processes), `make
soak-search` the searches (10,000 pairs of a write and a search, 4 writers); `make test` runs smaller crowds of the same
kinds.
"""

import os
import signal
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from support.author import author
from support.forked import forking
from support.pairs import Writer, write_and_search
from support.server import Session, demo_key, serving

DRAFTS = int(os.environ.get("SOAK_DRAFTS", "24"))
PATCHES = int(os.environ.get("SOAK_PATCHES", "10"))
PROCESSES = int(os.environ.get("SOAK_PROCESSES", "4"))
PAIRS = int(os.environ.get("SOAK_PAIRS", "160"))
ROUNDS = int(os.environ.get("SOAK_ROUNDS", "2"))
WRITERS = 4

pytestmark = pytest.mark.emulator


def test_many_drafts_in_parallel_keep_every_version_and_outlive_the_server(tmp_path: Path) -> None:
    # Given drafts that several processes patch at once,
    with serving(tmp_path) as (server, port):
        key = demo_key(tmp_path, "instructional")
        with ProcessPoolExecutor(PROCESSES, mp_context=forking()) as pool:
            calls = [pool.submit(author, port, key, DRAFTS // PROCESSES, PATCHES) for _ in range(PROCESSES)]
            outcomes = [call.result() for call in calls]
        # when all have been patched, every call was answered with success and every version was the next one.
        assert [fault for _, _, faults in outcomes for fault in faults] == []
        assert sum((statuses for statuses, _, _ in outcomes), Counter()) == {200: DRAFTS * (PATCHES + 1)}
        versions = {draft_id: version for _, each, _ in outcomes for draft_id, version in each.items()}
        assert set(versions.values()) == {PATCHES + 1}
        # And when the server is stopped and started again,
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=60) == 0
    # then each draft is there as it was acknowledged: the latest 200 of the list, and the form of every one.
    with serving(tmp_path) as (server, port), Session(port, key) as session:
        _, listed = session.call("drafts")
        assert {entry["id"]: entry["version"] for entry in listed["entries"]} == versions
        for draft_id, version in versions.items():
            status, form = session.call("get", {"draft_id": draft_id})
            assert (status, form["draft_version"]) == (200, version)
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=60) == 0


def test_every_search_knows_of_the_write_that_was_just_answered(tmp_path: Path) -> None:
    # Given four writers, each a process, in rounds that each begin with cold functions,
    writers = [Writer(number) for number in range(WRITERS)]
    with ProcessPoolExecutor(WRITERS, mp_context=forking()) as pool:
        for _ in range(ROUNDS):
            with serving(tmp_path) as (server, port):
                key = demo_key(tmp_path, "superadmin")
                # when each of them writes and searches at once, again and again, while refreshes come by,
                pairs = PAIRS // WRITERS // ROUNDS
                calls = [pool.submit(write_and_search, port, key, writer, pairs) for writer in writers]
                with Session(port, key) as session:
                    status, refreshed = session.call("refresh")
                assert (status, refreshed["success"]) == (200, True)
                writers = [call.result() for call in calls]
                server.send_signal(signal.SIGTERM)
                assert server.wait(timeout=60) == 0
    # then no search has missed a write.
    assert [miss for writer in writers for miss in writer.misses] == []
    assert sum(writer.written for writer in writers) == PAIRS
    assert all(kinds.keys() == {"create", "update", "delete"} for kinds in (writer.kinds for writer in writers))


def test_an_existing_client_that_sends_only_what_changed_works_throughout(service: tuple[str, str]) -> None:
    address, key = service
    # Given a web client that autosaves only the fields that changed, with null for what was emptied,
    with Session(int(address.rpartition(":")[2]), key) as session:
        status, blank = session.call("get", {"field_search": "a", "group_id": "whatever", "unheard_of": True})
        assert status == 200
        assert blank["persona_exists"] is False
        color, icon = blank["colors"]["resources"][0]["id"], blank["icons"]["resources"][0]["id"]
        flag = blank["flags"]["resources"][0]["flag_option_id"]
        field = blank["parameter_fields"]["resources"][0]["id"]
        department = blank["departments"]["resources"][0]["department_id"]

        # when it keeps a draft step by step,
        draft: dict[str, object] = {}
        version = 0
        form_state: dict[str, object] = {}
        for patch in (
            {"name": "Nervous caller", "description": "To be removed"},
            {"instructions": "You call for the first time.", "color_id": color, "icon_id": icon},
            {"description": None, "active_flag_id": flag, "parameter_field_ids": [field]},
            {"department_ids": [department], "examples": ["Hello? Is this the right number?"]},
        ):
            status, answer = session.call("draft", {**draft, "expected_version": version, **patch})
            assert (status, answer["new_version"]) == (200, version + 1)
            draft, version, form_state = (
                {"input_draft_id": answer["draft_id"]},
                answer["new_version"],
                answer["form_state"],
            )

        # and creates the persona by the ids that the form state gave it,
        status, created = session.call("create", {"personas": [form_state]}, Idempotency_Key="first-save")
        assert (status, created["results"][0]["success"]) == (200, True), created

        # then the persona is what was typed, and what was emptied is empty.
        status, persona = session.call("get", {"persona_id": created["results"][0]["persona_id"]})
        assert status == 200
        assert persona["names"]["resource"]["name"] == "Nervous caller"
        assert persona["descriptions"]["resource"] is None
        assert persona["instructions"]["resource"]["template"] == "You call for the first time."
        assert persona["flags"]["current"]["flag_option_id"] == flag
        assert [each["id"] for each in persona["parameter_fields"]["current"]] == [field]
        assert [each["department_id"] for each in persona["departments"]["current"]] == [department]
        assert [each["example"] for each in persona["examples"]["current"]] == ["Hello? Is this the right number?"]
