"""Idempotency-Key: a repeat gets the first answer, and completes a call that was cut off half way."""

import json
import random
import time
from threading import Lock
from typing import Any
from uuid import UUID

import pytest

from personas.contract.base import ITEMS_MAX
from personas.domain.persona import Persona
from personas.errors import Forbidden, OutcomeUnknown, PersonasError, Unavailable
from personas.store import keys
from personas.store.personas import PersonaStore
from personas.store.table import Table
from personas.store.write_rule import RECENT_WRITES_MAX, WriteResult
from support.world import (
    CARE,
    GROUP,
    NEEDED,
    NOBODY,
    OTHER_GROUP,
    SALES,
    World,
    color,
    fault,
    icon,
    result,
)

PAST = 1_000_000_000
KEY = "8d9e2f4a-order-17"


class Cut(BaseException):
    """The function was killed here."""


class Scissors:
    """A hook that kills the function after some number of its conditional writes, until ``mended``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._left: int | None = None
        self._lock = Lock()
        for method in ("put", "update", "next_number"):
            monkeypatch.setattr(Table, method, self._wrapped(getattr(Table, method)))

    def cut_after(self, writes: int) -> None:
        self._left = writes

    def mended(self) -> None:
        self._left = None

    def _wrapped(self, write: Any) -> Any:
        def cutting(*arguments: object, **named: object) -> object:
            with self._lock:
                if self._left is None:
                    return write(*arguments, **named)
                if self._left > 0:
                    self._left -= 1
                    written = write(*arguments, **named)
                    if self._left > 0:
                        return written
                raise Cut

        return cutting


@pytest.fixture
def scissors(monkeypatch: pytest.MonkeyPatch) -> Scissors:
    return Scissors(monkeypatch)


def kill(
    world: World, scissors: Scissors, writes: int, operation: str, body: object, who: str = "root", **headers: str
) -> None:
    """Call an operation that is killed after some writes."""
    client = world.client(who)
    scissors.cut_after(writes)
    with pytest.raises(Cut):
        client.call(operation, body, **headers)
    scissors.mended()
    world.restart()


def cut(
    world: World, scissors: Scissors, writes: int, operation: str, body: object, who: str = "root", **headers: str
) -> None:
    """Call an operation under the key and kill it after some writes; then let the time of its function be over."""
    kill(world, scissors, writes, operation, body, who, Idempotency_Key=KEY, **headers)
    world.expire_idempotency("in_progress_expiration", PAST * 1_000)


def items(*names: str) -> dict[str, object]:
    return {"personas": [{**NEEDED, "name": name} for name in names]}


class TestRepeat:
    def test_of_create_gets_the_first_answer_and_makes_nothing_twice(self, world: World) -> None:
        first = world.client("root").call("create", items("Ada", "Bo"), Idempotency_Key=KEY)

        second = world.client("root").call("create", items("Ada", "Bo"), Idempotency_Key=KEY)

        assert (second.status, second.body) == (200, first.body)
        assert world.names() == ["Ada", "Bo"]

    def test_says_that_it_is_one(self, world: World) -> None:
        # Given a call, its repeat, a call without a key, and the key with another body
        body = {"personas": [{**NEEDED, "name": "Ada"}]}
        calls = [
            world.client("root").call("create", body, Idempotency_Key=KEY),
            world.client("root").call("create", body, Idempotency_Key=KEY),
            world.client("root").call("create", body),
            world.client("root").call("create", {"personas": [{**NEEDED, "name": "Bo"}]}, Idempotency_Key=KEY),
        ]
        # Then the repeat alone says so
        assert [call.headers.get("Idempotent-Replayed") for call in calls] == [None, "true", None, None]

    def test_of_update(self, world: World) -> None:
        persona_id = world.save(name="Ada")
        body = {"personas": [{"persona_id": persona_id, "expected_version": 1, "name": "Bo"}]}
        first = world.client("root").call("update", body, Idempotency_Key=KEY)

        second = world.client("root").call("update", body, Idempotency_Key=KEY)

        assert (second.status, second.body) == (200, first.body)
        assert world.persona(persona_id).version == 2

    def test_of_duplicate(self, world: World) -> None:
        body = {"persona_id": world.save(name="Ada")}
        first = world.client("root").call("duplicate", body, Idempotency_Key=KEY)

        second = world.client("root").call("duplicate", body, Idempotency_Key=KEY)

        assert (second.status, second.body) == (200, first.body)
        assert world.names() == ["Ada", "Ada Copy"]

    def test_of_delete(self, world: World) -> None:
        body = {"persona_ids": [world.save()]}
        first = world.client("root").call("delete", body, Idempotency_Key=KEY)

        second = world.client("root").call("delete", body, Idempotency_Key=KEY)

        assert (second.status, second.body) == (200, first.body)

    def test_of_draft(self, world: World) -> None:
        first = world.client("root").call("draft", {"name": "Ada"}, Idempotency_Key=KEY)

        second = world.client("root").call("draft", {"name": "Ada"}, Idempotency_Key=KEY)

        assert (second.status, second.body) == (200, first.body)
        assert len(world.contents()) == 1

    def test_of_a_draft_patch(self, world: World) -> None:
        body = {"input_draft_id": world.draft(name="Ada"), "expected_version": 1, "name": "Bo"}
        first = world.client("root").call("draft", body, Idempotency_Key=KEY)

        second = world.client("root").call("draft", body, Idempotency_Key=KEY)

        assert (second.status, second.body) == (200, first.body)
        assert first.body["new_version"] == 2

    def test_of_a_call_to_a_newer_release_leaves_out_what_this_one_does_not_know(self, world: World) -> None:
        # Given an answer that a release with one more field remembered,
        first = world.client("root").call("draft", {"name": "Ada"}, Idempotency_Key=KEY).body
        world.remember_instead({**first, "new": 1, "form_state": {**first["form_state"], "new_id": None}})
        # when the call is repeated, then its answer has the fields that are known here.
        again = world.client("root").call("draft", {"name": "Ada"}, Idempotency_Key=KEY)
        assert (again.status, again.body) == (200, first)

    def test_gets_the_first_answer_though_things_have_changed(self, world: World) -> None:
        first = world.client("root").call("create", items("Ada"), Idempotency_Key=KEY)
        world.client("root").call("delete", {"persona_ids": [result(first)["persona_id"]]})

        second = world.client("root").call("create", items("Ada"), Idempotency_Key=KEY)

        assert second.body == first.body
        assert world.names() == []

    def test_gets_an_answer_in_which_only_some_were_saved(self, world: World) -> None:
        body = {"personas": [NEEDED, {**NEEDED, "color": "Mauve"}]}
        first = world.client("root").call("create", body, Idempotency_Key=KEY)
        world.add("colors", "Mauve", color("Mauve", "#E0B0FF"))

        second = world.client("root").call("create", body, Idempotency_Key=KEY)

        assert second.body == first.body
        assert world.names() == ["Ada"]

    def test_is_one_however_the_body_is_written(self, world: World) -> None:
        first = world.client("root").call("draft", '{"name": "Ada", "examples": []}', Idempotency_Key=KEY)

        second = world.client("root").call("draft", '{"examples":[],\n"name":"\\u0041da"}', Idempotency_Key=KEY)

        assert second.body == first.body

    def test_ignores_space_around_the_key(self, world: World) -> None:
        first = world.client("root").call("draft", {}, Idempotency_Key=KEY)

        assert world.client("root").call("draft", {}, Idempotency_Key=f" {KEY} ").body == first.body

    def test_after_24_hours_is_a_new_call(self, world: World) -> None:
        persona = {"persona_id": world.save(name="Ada")}
        world.client("root").call("update", {"personas": [{**persona, "name": "Bo"}]}, Idempotency_Key=KEY)
        world.expire_idempotency("expiration", PAST)

        answer = world.client("root").call("update", {"personas": [{**persona, "name": "Cy"}]}, Idempotency_Key=KEY)

        assert answer.status == 200
        assert world.names() == ["Cy"]

    def test_after_24_hours_the_same_create_makes_another_persona(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            # The two calls come within one second here; a record that ends otherwise stands for one of another day.
            patch.setattr("personas.store.idempotency.REMEMBERED_SECONDS", 60)
            first = world.client("root").call("create", items("Ada"), Idempotency_Key=KEY)
        world.expire_idempotency("expiration", PAST)
        world.restart()

        again = world.client("root").call("create", items("Ada"), Idempotency_Key=KEY)

        assert (first.status, again.status) == (200, 200)
        assert world.names() == ["Ada", "Ada"]

    def test_after_24_hours_the_same_update_undoes_what_somebody_changed(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        persona = {"persona_id": world.save(name="Ada")}
        with monkeypatch.context() as patch:
            patch.setattr("personas.store.idempotency.REMEMBERED_SECONDS", 60)
            world.client("root").call("update", {"personas": [{**persona, "name": "Bo"}]}, Idempotency_Key=KEY)
        world.client("root").call("update", {"personas": [{**persona, "name": "Cy"}]})
        world.expire_idempotency("expiration", PAST)
        world.restart()

        world.client("root").call("update", {"personas": [{**persona, "name": "Bo"}]}, Idempotency_Key=KEY)

        assert world.names() == ["Bo"]

    def test_is_remembered_for_24_hours(self, world: World) -> None:
        before = int(time.time())
        world.client("root").call("draft", {}, Idempotency_Key=KEY)
        after = int(time.time())

        (record,) = world.idempotency_records()
        assert before + 86_400 <= int(record["expiration"]["N"]) <= after + 86_400

    def test_without_a_key_is_no_repeat(self, world: World) -> None:
        world.client("root").call("create", items("Ada"))
        world.client("root").call("create", items("Ada"))

        assert world.names() == ["Ada", "Ada"]
        assert world.idempotency_records() == []


class TestOtherCalls:
    def test_the_same_key_with_another_body_is_422(self, world: World) -> None:
        world.client("root").call("create", items("Ada"), Idempotency_Key=KEY)

        answer = world.client("root").call("create", items("Bo"), Idempotency_Key=KEY)

        assert fault(answer) == (422, "idempotency_key_reused")
        assert world.names() == ["Ada"]

    def test_the_same_key_with_another_if_match_is_422(self, world: World) -> None:
        body = {"personas": [{"persona_id": world.save(), "name": "Bo"}]}
        world.client("root").call("update", body, Idempotency_Key=KEY, If_Match='"1"')

        answer = world.client("root").call("update", body, Idempotency_Key=KEY, If_Match='"2"')

        assert fault(answer) == (422, "idempotency_key_reused")

    def test_the_same_key_in_another_operation_is_another_call(self, world: World) -> None:
        created = world.client("root").call("create", items("Ada"), Idempotency_Key=KEY)
        persona_id = result(created)["persona_id"]

        copied = world.client("root").call("duplicate", {"persona_id": persona_id}, Idempotency_Key=KEY)
        deleted = world.client("root").call("delete", {"persona_ids": [persona_id]}, Idempotency_Key=KEY)

        assert (copied.status, deleted.status) == (200, 200)
        assert world.names() == ["Ada Copy"]

    def test_the_same_key_of_another_profile_is_another_call(self, world: World) -> None:
        first = world.client("root").call("draft", {"name": "Ada"}, Idempotency_Key=KEY)

        second = world.client("admin").call("draft", {"name": "Ada"}, Idempotency_Key=KEY)

        assert second.status == 200
        assert second.body["draft_id"] != first.body["draft_id"]

    def test_the_same_key_in_another_group_is_another_call(self, world: World) -> None:
        world.add("colors", "Teal", color("Teal", "#16818A"), OTHER_GROUP)
        world.add("icons", "Star", icon("Star", "star"), OTHER_GROUP)
        first = world.client("root").call("create", items("Ada"), Idempotency_Key=KEY)

        second = world.client("stranger").call("create", items("Ada"), Idempotency_Key=KEY)

        assert second.status == 200
        assert result(second)["persona_id"] != result(first)["persona_id"]

    @pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "schlüssel", "a\tb"])
    def test_a_malformed_key_is_422_and_nothing_is_saved(self, world: World, key: str) -> None:
        answer = world.client("root").call("create", items("Ada"), Idempotency_Key=key)

        assert fault(answer) == (422, "idempotency_key_malformed")
        assert world.names() == []

    def test_a_key_of_255_characters_will_do(self, world: World) -> None:
        assert world.client("root").call("draft", {}, Idempotency_Key="x" * 255).status == 200

    @pytest.mark.parametrize("operation", ["get", "drafts"])
    def test_reading_pays_no_attention_to_it(self, world: World, operation: str) -> None:
        answer = world.client("root").call(operation, {}, Idempotency_Key="")

        assert answer.status == 200
        assert world.idempotency_records() == []

    def test_its_record_has_an_id_that_every_release_gives_it(self, world: World) -> None:
        world.client("root").call("draft", {}, Idempotency_Key=KEY)

        (record,) = world.idempotency_records()
        assert record["id"]["S"].startswith("personas#")

    def test_neither_the_key_nor_the_body_is_stored_in_clear(self, world: World) -> None:
        world.client("root").call("create", items("Wounded Lion"), Idempotency_Key=KEY)

        stored = str(world.idempotency_records())

        assert KEY not in stored
        assert "Wounded Lion" not in stored


class TestErrors:
    def test_are_not_remembered(self, world: World) -> None:
        body = {"personas": [{**NEEDED, "color": "Mauve"}]}
        refused = world.client("root").call("create", body, Idempotency_Key=KEY)
        world.add("colors", "Mauve", color("Mauve", "#E0B0FF"))

        answer = world.client("root").call("create", body, Idempotency_Key=KEY)

        assert (refused.status, answer.status) == (422, 200)
        assert world.names() == ["Ada"]

    @pytest.mark.parametrize(
        ("operation", "body", "status"),
        [
            ("create", {"personas": []}, 422),
            ("update", {"personas": [{"persona_id": NOBODY}]}, 404),
            ("duplicate", {"persona_id": NOBODY}, 404),
            ("delete", {"persona_ids": [NOBODY]}, 404),
            ("draft", {"expected_version": 7}, 409),
        ],
    )
    def test_leave_no_record(self, world: World, operation: str, body: object, status: int) -> None:
        answer = world.client("root").call(operation, body, Idempotency_Key=KEY)

        assert answer.status == status
        assert world.idempotency_records() == []

    def test_of_ours_are_not_remembered_either(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object, **__: object) -> None:
            raise RuntimeError("a defect")

        with monkeypatch.context() as patch:
            patch.setattr("personas.store.personas.PersonaStore.insert", fail)
            broken = world.client("root").call("create", items("Ada"), Idempotency_Key=KEY)

        answer = world.client("root").call("create", items("Ada"), Idempotency_Key=KEY)

        assert (broken.status, answer.status) == (500, 200)
        assert world.names() == ["Ada"]

    def test_let_the_key_be_used_for_another_body(self, world: World) -> None:
        world.client("root").call("create", {"personas": [{**NEEDED, "color": "Mauve"}]}, Idempotency_Key=KEY)

        assert world.client("root").call("create", items("Ada"), Idempotency_Key=KEY).status == 200


def is_released(world: World) -> bool:
    """Tell whether there is one record, which a repeat may take over."""
    return [record["in_progress_expiration"]["N"] for record in world.idempotency_records()] == ["0"]


class TestInProgress:
    """A call whose function is still within its time; here one that was killed, which nobody can know yet."""

    @pytest.fixture(autouse=True)
    def _running(self, world: World, scissors: Scissors) -> None:
        kill(world, scissors, 0, "create", items("Ada"), Idempotency_Key=KEY)

    def test_a_repeat_is_409_with_retry_after(self, world: World) -> None:
        answer = world.client("root").call("create", items("Ada"), Idempotency_Key=KEY)

        assert fault(answer) == (409, "idempotency_in_progress")
        assert answer.headers["Retry-After"] == "1"
        assert world.names() == []

    def test_another_body_is_422_all_the_same(self, world: World) -> None:
        answer = world.client("root").call("create", items("Bo"), Idempotency_Key=KEY)

        assert fault(answer) == (422, "idempotency_key_reused")

    def test_a_repeat_that_looked_before_the_first_call_began_is_409_as_well(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("personas.store.idempotency._Records._read", lambda *_: None)
        answer = world.client("root").call("create", items("Ada"), Idempotency_Key=KEY)

        assert fault(answer) == (409, "idempotency_in_progress")

    def test_another_key_is_free(self, world: World) -> None:
        assert world.client("root").call("create", items("Bo"), Idempotency_Key="another").status == 200

    def test_it_is_over_when_the_functions_time_is(self, world: World) -> None:
        world.expire_idempotency("in_progress_expiration", PAST * 1_000)

        assert world.client("root").call("create", items("Ada"), Idempotency_Key=KEY).status == 200


class TestCutOff:
    """The repeat of a call that was killed completes it: what it had saved is not made twice."""

    def test_another_body_is_422_although_the_time_of_the_first_is_over(self, world: World, scissors: Scissors) -> None:
        cut(world, scissors, 1, "create", items("Ada"))

        answer = world.client("root").call("create", items("Bo"), Idempotency_Key=KEY)

        assert fault(answer) == (422, "idempotency_key_reused")
        assert world.names() == ["Ada"]

    def test_an_unknown_outcome_is_completed_by_the_repeat(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        insert = PersonaStore.insert

        def unanswered(*arguments: Any, **named: Any) -> None:
            insert(*arguments, **named)
            raise OutcomeUnknown("no answer came")

        with monkeypatch.context() as patch:
            patch.setattr(PersonaStore, "insert", unanswered)
            first = world.client("root").call("create", items("Ada"), Idempotency_Key=KEY)
        assert is_released(world)

        again = world.client("root").call("create", items("Ada"), Idempotency_Key=KEY)

        assert (fault(first), again.status) == ((503, "outcome_unknown"), 200)
        assert world.names() == ["Ada"]

    @pytest.mark.parametrize("failure", [OutcomeUnknown, Unavailable])
    def test_one_that_may_yet_be_saved_among_others_is_completed_too(
        self, world: World, monkeypatch: pytest.MonkeyPatch, failure: type[PersonasError]
    ) -> None:
        """It was told to be sent again, or unknown: under the same key that must not find the old answer."""
        insert = PersonaStore.insert

        def unavailable(store: PersonaStore, group: str, persona: Persona, *others: Any, **named: Any) -> WriteResult:
            if persona.name.text == "Bo":
                raise failure("no answer came, or no time was left")
            return insert(store, group, persona, *others, **named)

        with monkeypatch.context() as patch:
            patch.setattr(PersonaStore, "insert", unavailable)
            first = world.client("root").call("create", items("Ada", "Bo"), Idempotency_Key=KEY)

        again = world.client("root").call("create", items("Ada", "Bo"), Idempotency_Key=KEY)

        assert [result(first, each)["success"] for each in (0, 1)] == [True, False]
        assert [result(again, each)["success"] for each in (0, 1)] == [True, True]
        assert result(again)["persona_id"] == result(first)["persona_id"]
        assert world.names() == ["Ada", "Bo"]

    @pytest.mark.parametrize(
        "failure",
        [Unavailable("There is no room."), Forbidden("Not yours.", code="foreign_department")],
        ids=["unavailable", "forbidden"],
    )
    def test_a_repeat_that_fails_does_not_forget_what_the_first_call_may_have_saved(
        self, world: World, scissors: Scissors, monkeypatch: pytest.MonkeyPatch, failure: PersonasError
    ) -> None:
        # Given a call that was killed after its write, and a repeat that fails before it finds that
        def fail(*_: object) -> None:
            raise failure

        cut(world, scissors, 1, "create", items("Ada"))
        with monkeypatch.context() as patch:
            patch.setattr(PersonaStore, "read_decide_write", fail)
            failed = world.client("root").call("create", items("Ada"), Idempotency_Key=KEY)
        assert is_released(world)
        # When it is repeated once more
        answer = world.client("root").call("create", items("Ada"), Idempotency_Key=KEY)
        # Then it finds what was saved
        assert (failed.status, answer.status) == (failure.status, 200)
        assert world.names() == ["Ada"]

    @pytest.mark.parametrize("writes", [0, 1, 2, 3])
    def test_create(self, world: World, scissors: Scissors, writes: int) -> None:
        body = items("Ada", "Bo", "Cy")
        cut(world, scissors, writes, "create", body)
        assert len(world.names()) == writes

        answer = world.client("root").call("create", body, Idempotency_Key=KEY)

        assert [(each["success"], each["version"]) for each in answer.body["results"]] == [(True, 1)] * 3
        assert world.names() == ["Ada", "Bo", "Cy"]
        stored = [world.persona(each["persona_id"]).name.text for each in answer.body["results"]]
        assert stored == ["Ada", "Bo", "Cy"]

    @pytest.mark.parametrize("writes", [0, 1, 2])
    def test_create_in_the_place_of_deleted_ones(self, world: World, scissors: Scissors, writes: int) -> None:
        ids = [world.save(), world.save()]
        world.client("root").call("delete", {"persona_ids": ids})
        body = {"personas": [{**NEEDED, "id": each} for each in ids]}
        cut(world, scissors, writes, "create", body)

        answer = world.client("root").call("create", body, Idempotency_Key=KEY)

        assert [each["version"] for each in answer.body["results"]] == [3, 3]

    def test_create_with_a_color_that_was_removed_since(self, world: World, scissors: Scissors) -> None:
        cut(world, scissors, 1, "create", items("Ada", "Bo"))
        world.add("colors", "Teal", {**color("Teal", "#16818A"), "active": False})

        answer = world.client("root").call("create", items("Ada", "Bo"), Idempotency_Key=KEY)

        # The items are written side by side: either may be the one that was saved before the cut.
        (saved,) = world.names()
        there, refused = (result(answer), result(answer, 1))[:: 1 if saved == "Ada" else -1]
        assert (there["success"], there["version"], refused["success"]) == (True, 1, False)
        assert world.persona(there["persona_id"]).name.text == saved

    def test_create_in_a_department_that_the_caller_has_lost_since(self, world: World, scissors: Scissors) -> None:
        body = {"personas": [{**NEEDED, "department_ids": [CARE]}]}
        cut(world, scissors, 1, "create", body, "coach")
        world.profile("coach", departments=(SALES,))

        answer = world.client("coach").call("create", body, Idempotency_Key=KEY)

        assert (answer.status, result(answer)["version"]) == (200, 1)
        assert world.persona(result(answer)["persona_id"]).department_ids == (CARE,)

    @pytest.mark.parametrize("writes", [0, 1, 2])
    def test_update(self, world: World, scissors: Scissors, writes: int) -> None:
        ids = [world.save(name="Ada"), world.save(name="Bo")]
        body = {"personas": [{"persona_id": each, "expected_version": 1, "description": "New."} for each in ids]}
        cut(world, scissors, writes, "update", body)

        answer = world.client("root").call("update", body, Idempotency_Key=KEY)

        assert [(each["success"], each["version"]) for each in answer.body["results"]] == [(True, 2)] * 2
        assert [world.persona(each).version for each in ids] == [2, 2]

    @pytest.mark.parametrize("writes", [0, 1])
    def test_update_under_if_match(self, world: World, scissors: Scissors, writes: int) -> None:
        persona_id = world.save()
        body = {"personas": [{"persona_id": persona_id, "name": "Bo"}]}
        cut(world, scissors, writes, "update", body, If_Match='"1"')

        answer = world.client("root").call("update", body, Idempotency_Key=KEY, If_Match='"1"')

        assert result(answer)["version"] == 2

    def test_update_that_somebody_has_changed_since(self, world: World, scissors: Scissors) -> None:
        persona_id = world.save(name="Ada")
        body = {"personas": [{"persona_id": persona_id, "name": "Bo"}]}
        cut(world, scissors, 1, "update", body)
        world.client("root").call("update", {"personas": [{"persona_id": persona_id, "name": "Cy"}]})

        answer = world.client("root").call("update", body, Idempotency_Key=KEY)

        assert result(answer)["version"] == 2
        assert world.names() == ["Cy"]

    @pytest.mark.parametrize("writes", [0, 1, 2])
    def test_delete(self, world: World, scissors: Scissors, writes: int) -> None:
        body = {"persona_ids": [world.save(name="Ada"), world.save(name="Bo")]}
        cut(world, scissors, writes, "delete", body)

        answer = world.client("root").call("delete", body, Idempotency_Key=KEY)

        assert [each["success"] for each in answer.body["results"]] == [True, True]
        assert world.names() == []

    def test_delete_of_what_somebody_has_made_again_since(self, world: World, scissors: Scissors) -> None:
        persona_id = world.save(name="Ada")
        cut(world, scissors, 1, "delete", {"persona_ids": [persona_id]})
        world.save(id=persona_id, name="Bo")

        answer = world.client("root").call("delete", {"persona_ids": [persona_id]}, Idempotency_Key=KEY)

        assert [each["success"] for each in answer.body["results"]] == [True]
        assert world.names() == ["Bo"]

    @pytest.mark.parametrize("writes", [0, 1, 2])
    def test_duplicate(self, world: World, scissors: Scissors, writes: int) -> None:
        body = {"persona_id": world.save(name="Ada")}
        cut(world, scissors, writes, "duplicate", body)

        answer = world.client("root").call("duplicate", body, Idempotency_Key=KEY)

        assert answer.status == 200
        assert answer.body["message"] == "The persona was copied as 'Ada Copy'."
        assert world.names() == ["Ada", "Ada Copy"]
        assert world.persona(answer.body["persona_id"]).name.text == "Ada Copy"

    def test_duplicate_after_which_somebody_made_another_copy(self, world: World, scissors: Scissors) -> None:
        body = {"persona_id": world.save(name="Ada")}
        cut(world, scissors, 2, "duplicate", body)
        world.client("admin").call("duplicate", body)

        answer = world.client("root").call("duplicate", body, Idempotency_Key=KEY)

        assert world.persona(answer.body["persona_id"]).name.text == "Ada Copy"
        assert answer.body["message"] == "The persona was copied as 'Ada Copy'."
        assert world.names() == ["Ada", "Ada Copy", "Ada Copy 2"]

    def test_duplicate_whose_copy_was_saved_too_often_since_to_be_known(self, world: World, scissors: Scissors) -> None:
        body = {"persona_id": world.save(name="Ada")}
        cut(world, scissors, 2, "duplicate", body)
        found = world.client("root").call("search", {"search": "copy"}).body["personas"]
        for number in range(RECENT_WRITES_MAX):
            world.update(found[0]["persona_id"], name=f"Bo {number}")

        answer = world.client("root").call("duplicate", body, Idempotency_Key=KEY)

        assert fault(answer) == (409, "id_taken")
        assert [each["field"] for each in answer.body["errors"]] == ["/persona_id"]
        assert len(world.names()) == 2

    def test_duplicate_whose_source_was_deleted_since(self, world: World, scissors: Scissors) -> None:
        body = {"persona_id": world.save(name="Ada")}
        cut(world, scissors, 2, "duplicate", body)
        world.client("root").call("delete", {"persona_ids": [body["persona_id"]]})

        answer = world.client("root").call("duplicate", body, Idempotency_Key=KEY)

        assert (answer.status, answer.body["message"]) == (200, "The persona was copied as 'Ada Copy'.")
        assert world.persona(answer.body["persona_id"]).name.text == "Ada Copy"
        assert world.names() == ["Ada Copy"]

    def test_duplicate_whose_source_and_copy_were_deleted_since(self, world: World, scissors: Scissors) -> None:
        body = {"persona_id": world.save(name="Ada")}
        cut(world, scissors, 2, "duplicate", body)
        found = world.table.changes(keys.group_partition(GROUP), keys.PERSONA_CHANGES, None)
        ids = [keys.id_of(each.key) for each in found]
        world.client("root").call("delete", {"persona_ids": ids})

        answer = world.client("root").call("duplicate", body, Idempotency_Key=KEY)

        assert (answer.status, answer.body["message"]) == (200, "The persona was copied.")
        assert answer.body["persona_id"] in ids
        assert world.names() == []

    def test_duplicate_whose_source_was_deleted_before_it_was_copied(self, world: World, scissors: Scissors) -> None:
        body = {"persona_id": world.save(name="Ada")}
        cut(world, scissors, 1, "duplicate", body)
        world.client("root").call("delete", {"persona_ids": [body["persona_id"]]})

        answer = world.client("root").call("duplicate", body, Idempotency_Key=KEY)

        assert fault(answer) == (404, "not_found")

    @pytest.mark.parametrize("writes", [0, 1])
    def test_a_new_draft(self, world: World, scissors: Scissors, writes: int) -> None:
        cut(world, scissors, writes, "draft", {"name": "Ada"})

        answer = world.client("root").call("draft", {"name": "Ada"}, Idempotency_Key=KEY)

        assert (answer.status, answer.body["new_version"]) == (200, 1)
        assert len(world.contents()) == 1

    @pytest.mark.parametrize("writes", [0, 1])
    def test_a_draft_patch(self, world: World, scissors: Scissors, writes: int) -> None:
        draft_id = world.draft(name="Ada")
        body = {"input_draft_id": draft_id, "expected_version": 1, "name": "Bo"}
        cut(world, scissors, writes, "draft", body)

        answer = world.client("root").call("draft", body, Idempotency_Key=KEY)

        assert (answer.status, answer.body["new_version"]) == (200, 2)
        shown = world.client("root").call("get", {"draft_id": draft_id})
        assert (shown.body["draft_version"], shown.body["names"]["resource"]["name"]) == (2, "Bo")

    @pytest.mark.parametrize("patches", [False, True], ids=["new", "patch"])
    def test_a_draft_in_a_department_that_the_caller_has_lost_since(
        self, world: World, scissors: Scissors, *, patches: bool
    ) -> None:
        begun = {"input_draft_id": world.draft("coach", name="Ada"), "expected_version": 1} if patches else {}
        body = {**begun, "department_ids": [CARE]}
        cut(world, scissors, 1, "draft", body, "coach")
        world.profile("coach", departments=(SALES,))

        answer = world.client("coach").call("draft", body, Idempotency_Key=KEY)

        assert (answer.status, answer.body["new_version"]) == (200, 2 if patches else 1)
        assert answer.body["form_state"]["department_ids"] == [CARE]
        assert len(world.contents()) == 1

    def test_a_new_draft_that_was_saved_too_often_since_to_be_known(self, world: World, scissors: Scissors) -> None:
        cut(world, scissors, 1, "draft", {"name": "Ada"})
        (row,) = world.client("root").call("drafts").body["entries"]
        for version in range(1, 9):
            body = {"input_draft_id": row["id"], "expected_version": version, "name": f"Ada {version}"}
            assert world.client("root").call("draft", body).status == 200

        answer = world.client("root").call("draft", {"name": "Ada"}, Idempotency_Key=KEY)

        assert fault(answer) == (409, "version_conflict")
        assert answer.body["detail"] == f"The draft {row['id']} was begun already, and saved many times since."
        assert len(world.contents()) == 1

    def test_the_completed_answer_is_then_remembered(self, world: World, scissors: Scissors) -> None:
        cut(world, scissors, 1, "create", items("Ada", "Bo"))
        completed = world.client("root").call("create", items("Ada", "Bo"), Idempotency_Key=KEY)

        again = world.client("root").call("create", items("Ada", "Bo"), Idempotency_Key=KEY)

        assert again.body == completed.body

    def test_without_a_key_it_is_repeated_at_ones_own_risk(self, world: World, scissors: Scissors) -> None:
        kill(world, scissors, 1, "create", items("Ada"))

        world.client("root").call("create", items("Ada"))

        assert world.names() == ["Ada", "Ada"]


class TestLongAnswers:
    """A record holds whatever a bulk call can be answered with."""

    def test_the_longest_fits_into_the_record_and_is_repeated_to_the_byte(self, world: World) -> None:
        # Given as many items as a call takes, all but one with a long name of no color, which its result quotes; names
        # of signs drawn at random are what compresses least
        chance = random.Random(20261127)
        signs = [chr(each) for each in (*range(0x20000, 0x2A6DF), *range(0xF0000, 0xFFFFD))]
        wrong = [
            {**NEEDED, "id": str(UUID(int=chance.getrandbits(128))), "color": "".join(chance.choices(signs, k=200))}
            for _ in range(ITEMS_MAX - 1)
        ]
        body = {"personas": [NEEDED, *wrong]}
        # When they are created under a key, and again
        first = world.client("root").call("create", body, Idempotency_Key=KEY)
        again = world.client("root").call("create", body, Idempotency_Key=KEY)
        # Then the answer is remembered as it was, in what DynamoDB takes for an item
        (record,) = world.idempotency_records()
        assert (first.status, record["status"]["S"]) == (200, "COMPLETED")
        assert again.text == first.text
        assert sum(len(name) + sum(map(len, value.values())) for name, value in record.items()) < 400 * 1024

    def test_a_short_one_can_be_read_in_the_table(self, world: World) -> None:
        answer = world.client("root").call("create", items("Ada"), Idempotency_Key=KEY)

        (record,) = world.idempotency_records()
        assert json.loads(record["data"]["S"]) == answer.body

    def test_one_that_does_not_fit_is_answered_and_what_it_tells_of_is_saved_once(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given a record that could not hold the answer
        monkeypatch.setattr("personas.store.idempotency.ANSWER_MAX", 10)
        # When something is created under a key, and again
        first = world.client("root").call("create", items("Ada", "Bo"), Idempotency_Key=KEY)
        again = world.client("root").call("create", items("Ada", "Bo"), Idempotency_Key=KEY)
        # Then the repeat finds what was saved, and another body is refused as ever
        assert (first.status, again.status, again.body) == (200, 200, first.body)
        assert world.names() == ["Ada", "Bo"]
        assert fault(world.client("root").call("create", items("Cy"), Idempotency_Key=KEY)) == (
            422,
            "idempotency_key_reused",
        )
