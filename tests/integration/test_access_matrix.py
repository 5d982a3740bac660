"""Rights: every endpoint against every kind of caller, each cell spelt out; and what may be linked to.

The callers are those who are nobody, those who ask for what is another group's or another profile's, each role on a
persona of a department that it shares, and one on a persona of a department that it does not.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pytest

from support.client import Answer, Client
from support.issuer import Issuer
from support.streamed import Streamed
from support.world import (
    ANGRY,
    CARE,
    FORMAL,
    LEGAL,
    MOOD_ANGRY,
    MOOD_CALM,
    NEEDED,
    NOBODY,
    OTHER_GROUP,
    PEOPLE,
    SALES,
    TONE,
    TONE_CALM,
    TONE_FORMAL,
    TONE_IS_CALM,
    World,
    color,
    entry_id,
    field_row,
    icon,
    parameter,
    parameter_field_id,
    pointers,
)

OPERATIONS: Final = (
    *("get", "create", "update", "duplicate", "delete", "draft", "drafts", "docs", "export", "download"),
    *("history", "compare", "restore"),
)

OK: Final = (200, None)
LED: Final = (302, None)
WHO: Final = (401, "unauthenticated")
READS: Final = (403, "role_may_not_write")
NONE: Final = (404, "not_found")


@dataclass(frozen=True)
class Target:
    """The things that the call concerns: a persona, a draft, the departments to save with, and an export's maker."""

    persona_id: str
    draft_id: str | None
    departments: tuple[str, ...]
    exporter: Client | None = None

    def body(self, operation: str) -> dict[str, object]:
        """Return a body with which the operation would succeed, if the caller were allowed to."""
        draft = {"input_draft_id": self.draft_id, "expected_version": 1} if self.draft_id else {}
        over = {"draft_id": self.draft_id} if self.draft_id else {}
        bodies: dict[str, dict[str, object]] = {
            "get": {"persona_id": self.persona_id, **over},
            "create": {"personas": [{**NEEDED, "department_ids": list(self.departments)}]},
            "update": {"personas": [{"persona_id": self.persona_id, "name": "Bo"}]},
            "duplicate": {"persona_id": self.persona_id},
            "delete": {"persona_ids": [self.persona_id]},
            "draft": {"name": "Bo", **draft},
            "drafts": {},
            "docs": {"entity_id": self.persona_id},
            "export": {"persona_id": self.persona_id},
            "history": {"persona_id": self.persona_id},
            "compare": {"persona_id": self.persona_id, "from_version": 1, **over},
            "restore": {"persona_id": self.persona_id, "version": 1},
        }
        return {"upload_id": self.upload_id()} if operation == "download" else bodies[operation]

    def upload_id(self) -> str:
        """Return the id of an export that the exporter has just made."""
        return str(self.exporter.call("export", {}).body["upload_id"]) if self.exporter else NOBODY


type Situation = Callable[[World, Issuer], tuple[Client, Target]]


def cared_for(world: World, who: str, *, draft: bool = False) -> Target:
    """Save a persona of a department to which all with departments belong, and the caller's own draft if wanted."""
    persona_id = world.save(department_ids=[CARE])
    return Target(persona_id, world.draft(who) if draft else None, (CARE,), world.client(who))


NOTHING: Final = Target(NOBODY, NOBODY, ())
"""The target of callers without an identity: they must not even learn that it is not there."""


def nobody(world: World, _: Issuer) -> tuple[Client, Target]:
    return world.anyone(), NOTHING


def refused_key(make: Callable[[World], str]) -> Situation:
    """Return a situation in which the caller has an API key that ``make`` issues."""
    return lambda world, _: (world.anyone(X_Api_Key=make(world)), NOTHING)


def refused_token(make: Callable[[World, Issuer], str]) -> Situation:
    """Return a situation in which the caller has a bearer token that ``make`` signs."""
    return lambda world, issuer: (world.anyone(Authorization=f"Bearer {make(world, issuer)}"), NOTHING)


def refused_pair(key: Callable[[World], str], token: Callable[[World, Issuer], str]) -> Situation:
    """Return a situation in which the caller has a key and a token."""

    def situation(world: World, issuer: Issuer) -> tuple[Client, Target]:
        return world.anyone(X_Api_Key=key(world), Authorization=f"Bearer {token(world, issuer)}"), NOTHING

    return situation


def by_token(world: World, issuer: Issuer) -> tuple[Client, Target]:
    """Call as a superadmin by its token alone."""
    return world.anyone(Authorization=f"Bearer {root_token(world, issuer)}"), cared_for(world, "root", draft=True)


def by_key_and_token(world: World, issuer: Issuer) -> tuple[Client, Target]:
    """Call as a superadmin by its token, with a key of its group that names nobody."""
    client = world.anyone(X_Api_Key=world.issue(None), Authorization=f"Bearer {root_token(world, issuer)}")
    return client, cared_for(world, "root", draft=True)


def in_role(who: str) -> Situation:
    """Return a situation with a caller of that role, its own draft, and a persona that it may see."""

    def situation(world: World, _: Issuer) -> tuple[Client, Target]:
        writes = PEOPLE[who].role != "learner"
        return world.client(who), cared_for(world, who, draft=writes)

    return situation


def of_another_group(world: World, _: Issuer) -> tuple[Client, Target]:
    """Call as a superadmin of another group, who knows the ids of this group's persona and draft."""
    world.add("colors", "Teal", color("Teal", "#16818A"), OTHER_GROUP)
    world.add("icons", "Star", icon("Star", "star"), OTHER_GROUP)
    return world.client("stranger"), Target(world.save(), world.draft("root"), (), world.client("root"))


def of_an_unknown_id(world: World, _: Issuer) -> tuple[Client, Target]:
    """Call as the same superadmin with ids of nothing: the row must be the same as the one above."""
    world.add("colors", "Teal", color("Teal", "#16818A"), OTHER_GROUP)
    world.add("icons", "Star", icon("Star", "star"), OTHER_GROUP)
    return world.client("stranger"), Target(NOBODY, NOBODY, ())


def of_another_profiles_draft(world: World, _: Issuer) -> tuple[Client, Target]:
    """Call as a superadmin who knows the id of a colleague's draft."""
    target = cared_for(world, "coach", draft=True)
    return world.client("root"), target


def of_another_profiles_export(world: World, _: Issuer) -> tuple[Client, Target]:
    """Call as an admin who knows the id of a superadmin's export."""
    return world.client("admin"), cared_for(world, "root")


def of_a_foreign_department(world: World, _: Issuer) -> tuple[Client, Target]:
    return world.client("coach"), Target(world.save(department_ids=[SALES]), None, (SALES,))


def of_no_department(world: World, _: Issuer) -> tuple[Client, Target]:
    return world.client("coach"), Target(world.save(), None, ())


def of_some_foreign_departments(world: World, _: Issuer) -> tuple[Client, Target]:
    return world.client("coach"), Target(world.save(department_ids=[CARE, SALES]), None, (CARE, SALES))


def in_an_active_scenario(world: World, _: Issuer) -> tuple[Client, Target]:
    target = cared_for(world, "root", draft=True)
    world.cast("Ward", target.persona_id)
    return world.client("root"), target


def moved_away(world: World, _: Issuer) -> tuple[Client, Target]:
    """Call with a persona that was of the caller's department in its first version and is of another one now."""
    persona_id = world.save(department_ids=[CARE])
    return world.client("coach"), Target(moved(world, persona_id, SALES), None, (CARE,), world.client("coach"))


def moved_here(world: World, _: Issuer) -> tuple[Client, Target]:
    """Call with a persona that was of another department in its first version and is of the caller's now."""
    persona_id = world.save(department_ids=[SALES])
    return world.client("coach"), Target(moved(world, persona_id, CARE), None, (CARE,), world.client("coach"))


def taken_from_the_caller(world: World, _: Issuer) -> tuple[Client, Target]:
    """Call with the id of a persona of the caller's department that was deleted, under which another one has come."""
    persona_id = taken_over(world, world.save(department_ids=[CARE]), SALES)
    return world.client("coach"), Target(persona_id, None, (CARE,), world.client("coach"))


def taken_by_the_caller(world: World, _: Issuer) -> tuple[Client, Target]:
    """Call with the id of a persona of another department that was deleted, under which the caller's has come."""
    persona_id = taken_over(world, world.save(department_ids=[SALES]), CARE)
    return world.client("coach"), Target(persona_id, None, (CARE,), world.client("coach"))


def deleted_of_the_caller(world: World, _: Issuer) -> tuple[Client, Target]:
    """Call with a persona of the caller's department that was deleted."""
    persona_id = deleted(world, world.save(department_ids=[CARE]))
    return world.client("coach"), Target(persona_id, None, (CARE,), world.client("coach"))


def deleted_of_others(world: World, _: Issuer) -> tuple[Client, Target]:
    """Call with a persona of another department that was deleted, and that was of the caller's in its first version."""
    persona_id = deleted(world, moved(world, world.save(department_ids=[CARE]), SALES))
    return world.client("coach"), Target(persona_id, None, (CARE,), world.client("coach"))


def moved(world: World, persona_id: str, department_id: str) -> str:
    """Move a persona to a department, and have all that was written recorded."""
    world.update(persona_id, department_ids=[department_id])
    Streamed(world.aws, world.guard).flow()
    return persona_id


def deleted(world: World, persona_id: str) -> str:
    """Delete a persona, and have all that was written recorded."""
    world.delete(persona_id)
    Streamed(world.aws, world.guard).flow()
    return persona_id


def taken_over(world: World, persona_id: str, department_id: str) -> str:
    """Delete a persona, and save another one of that department under its id."""
    taken = world.save(id=deleted(world, persona_id), department_ids=[department_id])
    Streamed(world.aws, world.guard).flow()
    return taken


def root_token(world: World, issuer: Issuer, **claims: Any) -> str:
    return issuer.token(PEOPLE["root"].id, **claims)


def root_key(world: World, *, expires_at: int | None = None, revoked: bool = False) -> str:
    return world.issue(PEOPLE["root"].id, expires_at=expires_at, revoked=revoked)


SITUATIONS: Final[Mapping[str, Situation]] = {
    "no key": nobody,
    "bad key": refused_key(lambda world: world.key("root")[:-2] + "__"),
    "revoked key": refused_key(lambda world: root_key(world, revoked=True)),
    "expired key": refused_key(lambda world: root_key(world, expires_at=1)),
    "key of a group alone": refused_key(lambda world: world.issue(None)),
    "key of a profile that is gone": refused_key(lambda world: world.issue(NOBODY)),
    "expired token": refused_token(lambda world, issuer: root_token(world, issuer, exp=1_000_000_000)),
    "token of another issuer": refused_token(lambda world, issuer: root_token(world, issuer, iss="https://x.test/")),
    "token for another audience": refused_token(lambda world, issuer: root_token(world, issuer, aud="x")),
    "token of an unknown key": refused_token(lambda world, issuer: root_token(world, issuer, headers={"kid": "x"})),
    "token of nobody": refused_token(lambda _, issuer: issuer.token(NOBODY)),
    "good key, expired token": refused_pair(root_key, lambda world, issuer: root_token(world, issuer, exp=1)),
    "revoked key, good token": refused_pair(lambda world: root_key(world, revoked=True), root_token),
    "key and token of two groups": refused_pair(lambda world: world.key("stranger"), root_token),
    "token": by_token,
    "key of a group and token": by_key_and_token,
    "superadmin": in_role("root"),
    "admin": in_role("admin"),
    "instructional": in_role("coach"),
    "another role": in_role("learner"),
    "another group's ids": of_another_group,
    "unknown ids": of_an_unknown_id,
    "another profile's draft": of_another_profiles_draft,
    "another profile's export": of_another_profiles_export,
    "foreign department": of_a_foreign_department,
    "some foreign departments": of_some_foreign_departments,
    "no department": of_no_department,
    "active scenario": in_an_active_scenario,
    "moved away": moved_away,
    "moved here": moved_here,
    "id taken from the caller": taken_from_the_caller,
    "id taken by the caller": taken_by_the_caller,
    "deleted of the caller": deleted_of_the_caller,
    "deleted of others": deleted_of_others,
}

FOREIGN: Final = (403, "foreign_department")
NEEDS_ONE: Final = (422, "department_needed")
IN_USE: Final = (403, "in_use")
NOT_ALL: Final = (403, "not_all_departments")
TOP_ONLY: Final = (403, "superadmin_only")

# fmt: off
MATRIX: Final[Mapping[str, tuple[tuple[int, str | None], ...]]] = {
    #                                 get   create     update    duplicate delete    draft  drafts docs  export download
    "no key":                        (WHO,  WHO,       WHO,      WHO,      WHO,      WHO,   WHO,   WHO,   WHO,   WHO),
    "bad key":                       (WHO,  WHO,       WHO,      WHO,      WHO,      WHO,   WHO,   WHO,   WHO,   WHO),
    "revoked key":                   (WHO,  WHO,       WHO,      WHO,      WHO,      WHO,   WHO,   WHO,   WHO,   WHO),
    "expired key":                   (WHO,  WHO,       WHO,      WHO,      WHO,      WHO,   WHO,   WHO,   WHO,   WHO),
    "key of a group alone":          (WHO,  WHO,       WHO,      WHO,      WHO,      WHO,   WHO,   WHO,   WHO,   WHO),
    "key of a profile that is gone": (WHO,  WHO,       WHO,      WHO,      WHO,      WHO,   WHO,   WHO,   WHO,   WHO),
    "expired token":                 (WHO,  WHO,       WHO,      WHO,      WHO,      WHO,   WHO,   WHO,   WHO,   WHO),
    "token of another issuer":       (WHO,  WHO,       WHO,      WHO,      WHO,      WHO,   WHO,   WHO,   WHO,   WHO),
    "token for another audience":    (WHO,  WHO,       WHO,      WHO,      WHO,      WHO,   WHO,   WHO,   WHO,   WHO),
    "token of an unknown key":       (WHO,  WHO,       WHO,      WHO,      WHO,      WHO,   WHO,   WHO,   WHO,   WHO),
    "token of nobody":               (WHO,  WHO,       WHO,      WHO,      WHO,      WHO,   WHO,   WHO,   WHO,   WHO),
    "good key, expired token":       (WHO,  WHO,       WHO,      WHO,      WHO,      WHO,   WHO,   WHO,   WHO,   WHO),
    "revoked key, good token":       (WHO,  WHO,       WHO,      WHO,      WHO,      WHO,   WHO,   WHO,   WHO,   WHO),
    "key and token of two groups":   (WHO,  WHO,       WHO,      WHO,      WHO,      WHO,   WHO,   WHO,   WHO,   WHO),
    "token":                         (OK,   OK,        OK,       OK,       OK,       OK,    OK,    OK,    OK,    LED),
    "key of a group and token":      (OK,   OK,        OK,       OK,       OK,       OK,    OK,    OK,    OK,    LED),
    "superadmin":                    (OK,   OK,        OK,       OK,       OK,       OK,    OK,    OK,    OK,    LED),
    "admin":                         (OK,   OK,        OK,       OK,       OK,       OK,    OK,    OK,    OK,    LED),
    "instructional":                 (OK,   OK,        OK,       OK,       OK,       OK,    OK,    OK,    OK,    LED),
    "another role":                  (OK,   READS,     READS,    READS,    READS,    READS, OK,    OK,    OK,    LED),
    "another group's ids":           (NONE, OK,        NONE,     NONE,     NONE,     NONE,  OK,    NONE,  NONE,  NONE),
    "unknown ids":                   (NONE, OK,        NONE,     NONE,     NONE,     NONE,  OK,    NONE,  NONE,  NONE),
    "another profile's draft":       (NONE, OK,        OK,       OK,       OK,       NONE,  OK,    OK,    OK,    LED),
    "another profile's export":      (OK,   OK,        OK,       OK,       OK,       OK,    OK,    OK,    OK,    NONE),
    "foreign department":            (NONE, FOREIGN,   NONE,     NONE,     NONE,     OK,    OK,    NONE,  NONE,  NONE),
    "some foreign departments":      (OK,   FOREIGN,   NOT_ALL,  OK,       OK,       OK,    OK,    OK,    OK,    NONE),
    "no department":                 (OK,   NEEDS_ONE, TOP_ONLY, OK,       TOP_ONLY, OK,    OK,    OK,    OK,    NONE),
    "active scenario":               (OK,   OK,        IN_USE,   OK,       IN_USE,   OK,    OK,    OK,    OK,    LED),
    "moved away":                    (NONE, OK,        NONE,     NONE,     NONE,     OK,    OK,    NONE,  NONE,  LED),
    "moved here":                    (OK,   OK,        OK,       OK,       OK,       OK,    OK,    OK,    OK,    LED),
    "id taken from the caller":      (NONE, OK,        NONE,     NONE,     NONE,     OK,    OK,    NONE,  NONE,  LED),
    "id taken by the caller":        (OK,   OK,        OK,       OK,       OK,       OK,    OK,    OK,    OK,    LED),
    "deleted of the caller":         (NONE, OK,        NONE,     NONE,     NONE,     OK,    OK,    NONE,  NONE,  LED),
    "deleted of others":             (NONE, OK,        NONE,     NONE,     NONE,     OK,    OK,    NONE,  NONE,  LED),
}

OF_VERSIONS: Final[Mapping[str, tuple[tuple[int, str | None], ...]]] = {
    #                                 history  compare  restore
    "no key":                        (WHO,     WHO,     WHO),
    "bad key":                       (WHO,     WHO,     WHO),
    "revoked key":                   (WHO,     WHO,     WHO),
    "expired key":                   (WHO,     WHO,     WHO),
    "key of a group alone":          (WHO,     WHO,     WHO),
    "key of a profile that is gone": (WHO,     WHO,     WHO),
    "expired token":                 (WHO,     WHO,     WHO),
    "token of another issuer":       (WHO,     WHO,     WHO),
    "token for another audience":    (WHO,     WHO,     WHO),
    "token of an unknown key":       (WHO,     WHO,     WHO),
    "token of nobody":               (WHO,     WHO,     WHO),
    "good key, expired token":       (WHO,     WHO,     WHO),
    "revoked key, good token":       (WHO,     WHO,     WHO),
    "key and token of two groups":   (WHO,     WHO,     WHO),
    "token":                         (OK,      OK,      OK),
    "key of a group and token":      (OK,      OK,      OK),
    "superadmin":                    (OK,      OK,      OK),
    "admin":                         (OK,      OK,      OK),
    "instructional":                 (OK,      OK,      OK),
    "another role":                  (OK,      OK,      READS),
    "another group's ids":           (NONE,    NONE,    NONE),
    "unknown ids":                   (NONE,    NONE,    NONE),
    "another profile's draft":       (OK,      NONE,    OK),
    "another profile's export":      (OK,      OK,      OK),
    "foreign department":            (NONE,    NONE,    NONE),
    "some foreign departments":      (OK,      OK,      NOT_ALL),
    "no department":                 (OK,      OK,      TOP_ONLY),
    "active scenario":               (OK,      OK,      IN_USE),
    "moved away":                    (NONE,    NONE,    NONE),
    "moved here":                    (OK,      NONE,    NONE),
    "id taken from the caller":      (NONE,    NONE,    NONE),
    "id taken by the caller":        (OK,      NONE,    NONE),
    "deleted of the caller":         (OK,      OK,      OK),
    "deleted of others":             (NONE,    NONE,    NONE),
}
# fmt: on

CELLS: Final = [
    pytest.param(situation, operation, *cell, id=f"{situation}-{operation}")
    for situation, row in MATRIX.items()
    for operation, cell in zip(OPERATIONS, (*row, *OF_VERSIONS[situation]), strict=True)
]


@pytest.mark.parametrize(("situation", "operation", "status", "code"), CELLS)
def test_cell(world: World, issuer: Issuer, situation: str, operation: str, status: int, code: str | None) -> None:
    client, target = SITUATIONS[situation](world, issuer)
    before = world.contents()

    answer = client.call(operation, target.body(operation))

    assert (answer.status, answer.body.get("code") if answer.text else None) == (status, code)
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)
    assert status in {200, 302} or world.contents() == before


def test_every_situation_has_its_row() -> None:
    assert MATRIX.keys() == OF_VERSIONS.keys() == SITUATIONS.keys()


# ---- What is another department's ------------------------------------------------------------------------------------

TONE_ANGRY: Final = parameter_field_id(TONE, ANGRY)

LINKED: Final[Mapping[str, tuple[str, str]]] = {
    "parameter field of a hidden field": ("parameter_field_ids", MOOD_ANGRY),
    "parameter field of a hidden parameter": ("parameter_field_ids", TONE_FORMAL),
    "hidden field": ("parameter_field_ids", ANGRY),
    "field of a hidden parameter": ("parameter_field_ids", FORMAL),
    "hidden field by name": ("parameter_fields", "Angry"),
    "field of a hidden parameter by name": ("parameter_fields", "Formal"),
    "field by the name of a hidden parameter": ("parameter_fields", "Tone: Formal"),
    "department": ("department_ids", LEGAL),
    "department by name": ("departments", "Legal"),
}
"""Things that those of the department alone may link to: the field that takes each, and the id or the value."""

ASKED: Final[Mapping[str, tuple[str, str]]] = {
    "hidden parameter": ("parameter_ids", TONE),
    "hidden field": ("field_ids", ANGRY),
    "field of a hidden parameter": ("field_ids", FORMAL),
    "department": ("filter_department_ids", LEGAL),
    "scenario": ("scenario_ids", entry_id("scenarios", "Trial")),
}
"""Things that a question may name: the field that takes each, and the id."""

WRITES: Final = ("create", "update", "new draft", "draft")
QUESTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "get": ("parameter_ids",),
    "search": ("field_ids", "filter_department_ids", "scenario_ids"),
    "export": ("field_ids", "filter_department_ids", "scenario_ids"),
}


def withhold(world: World) -> str:
    """Make a parameter and a field known to one department alone; a persona of it that uses both, in a scenario."""
    world.add("parameters", "Tone", parameter("Tone", TONE_CALM, FORMAL, department_ids=[LEGAL]))
    world.add("fields", "Mood/Angry", field_row("Angry", department_ids=[LEGAL]))
    persona_id = world.save(department_ids=[LEGAL], parameter_field_ids=[MOOD_ANGRY, TONE_FORMAL])
    world.cast("Trial", persona_id, active=False)
    return persona_id


def linking(world: World, who: str, operation: str, field: str, value: str) -> Answer:
    """Return the answer to a write that links to that; a caller bound to departments gives one of its own."""
    client = world.client(who)
    given: dict[str, object] = {"department_ids": [CARE]} if not field.startswith("department") else {}
    match operation:
        case "create":
            return client.call("create", {"personas": [{**NEEDED, **given, field: [value]}]})
        case "update":
            persona_id = world.save(department_ids=[CARE])
            answer = client.call("update", {"personas": [{"persona_id": persona_id, field: [value]}]})
            return Answer(answer.status, answer.headers, answer.text.replace(persona_id, "OWN"))
        case "draft" if PEOPLE[who].role != "learner":
            return client.call("draft", {"input_draft_id": world.draft(who), "expected_version": 1, field: [value]})
        case _:
            return client.call("draft", {field: [value]})


def named_in(operation: str, things: Mapping[str, tuple[str, str]]) -> set[str]:
    """Return the things that an operation takes; a draft takes links by id alone."""
    if operation in QUESTIONS:
        return {thing for thing, (field, _) in things.items() if field in QUESTIONS[operation]}
    return {thing for thing, (field, _) in things.items() if field.endswith("_ids") or "draft" not in operation}


def differences(
    ask: Callable[[str, str, str], Answer], operation: str, things: Mapping[str, tuple[str, str]]
) -> set[str]:
    """Return the things whose answer differs from that to a thing that does not exist."""
    found = set()
    for thing in named_in(operation, things):
        field, value = things[thing]
        unknown = NOBODY if field.endswith("_ids") else "Nothing"
        told, silent = ask(operation, field, value), ask(operation, field, unknown)
        if without(told, value) != without(silent, unknown):
            found.add(thing)
    return found


def without(answer: Answer, named: str) -> tuple[int, str]:
    """Return an answer without the value that was sent and without the call's own ids."""
    text = answer.text.replace(named, "NAMED")
    for each in ("request_id", "upload_id", "file_name"):
        text = text.replace(answer.body.get(each, each), each)
    return answer.status, text


@pytest.mark.parametrize("who", ["admin", "coach", "learner"])
@pytest.mark.parametrize("operation", WRITES)
def test_what_another_department_alone_is_offered_is_linked_to_as_what_does_not_exist(
    world: World, operation: str, who: str
) -> None:
    withhold(world)
    before = [each["row"] for each in world.contents()] if operation == "create" else None

    found = differences(lambda *asked: linking(world, who, *asked), operation, LINKED)

    assert found == set()
    assert before is None or [each["row"] for each in world.contents()] == before


@pytest.mark.parametrize("operation", WRITES)
def test_a_superadmin_links_to_all_of_it(world: World, operation: str) -> None:
    withhold(world)

    found = differences(lambda *asked: linking(world, "root", *asked), operation, LINKED)

    assert found == named_in(operation, LINKED)


def test_the_cells_of_another_department_are_counted() -> None:
    linked, asked = (
        [named_in(each, things) for each in operations] for operations, things in ((WRITES, LINKED), (QUESTIONS, ASKED))
    )

    assert 4 * sum(map(len, linked)) + 3 * sum(map(len, asked)) == 139


@pytest.mark.parametrize("who", ["admin", "coach", "learner"])
@pytest.mark.parametrize("operation", QUESTIONS)
def test_what_another_department_alone_is_offered_is_asked_for_as_what_does_not_exist(
    world: World, operation: str, who: str
) -> None:
    withhold(world)
    world.save(department_ids=[CARE], parameter_field_ids=[MOOD_CALM])

    found = differences(lambda asked, *field: asking(world, who, asked, *field), operation, ASKED)

    assert found == set()


def asking(world: World, who: str, operation: str, field: str, value: str) -> Answer:
    """Return the answer to a question that names that."""
    return world.client(who).call(operation, {field: [value]})


@pytest.mark.parametrize("operation", WRITES)
def test_the_id_of_a_field_stands_for_its_parameter_field(world: World, operation: str) -> None:
    answer = linking(world, "coach", operation, "parameter_field_ids", ANGRY)

    assert answer.status == 200
    if operation.endswith("draft"):
        assert answer.body["form_state"]["parameter_field_ids"] == [MOOD_ANGRY]
    else:
        rows = [each["row"] for each in world.contents()]
        assert [row["M"]["pf"]["L"] for row in rows] == [[{"S": MOOD_ANGRY}]]


@pytest.mark.parametrize(("held", "status"), [([], 422), ([MOOD_ANGRY], 200), ([MOOD_ANGRY, TONE_ANGRY], 422)])
def test_a_draft_tells_which_of_several_parameter_fields_a_field_stands_for(
    world: World, held: list[str], status: int
) -> None:
    world.add("parameters", "Tone", parameter("Tone", TONE_CALM, FORMAL, ANGRY))
    draft_id = world.draft("coach", parameter_field_ids=held)
    body = {"input_draft_id": draft_id, "expected_version": 1, "parameter_field_ids": [ANGRY]}

    answer = world.client("coach").call("draft", body)

    assert answer.status == status
    if status == 422:
        assert MOOD_ANGRY in answer.body["errors"][0]["message"]
        assert TONE_ANGRY in answer.body["errors"][0]["message"]
    else:
        assert answer.body["form_state"]["parameter_field_ids"] == held


class TestHeld:
    """Links of a persona or a draft, which stay its own, whoever is no longer offered them."""

    @pytest.mark.parametrize(
        ("field", "values"),
        [
            ("parameter_field_ids", [TONE_FORMAL, MOOD_CALM]),
            ("parameter_field_ids", [FORMAL, MOOD_CALM]),
            ("parameter_fields", ["Formal", "Mood: Calm"]),
        ],
    )
    def test_an_update_may_send_it_back(self, world: World, field: str, values: list[str]) -> None:
        persona_id = world.save(department_ids=[CARE], parameter_field_ids=[TONE_FORMAL])
        withhold(world)

        answer = world.client("coach").call("update", {"personas": [{"persona_id": persona_id, field: values}]})

        assert answer.status == 200
        assert world.persona(persona_id).form.parameter_field_ids == (TONE_FORMAL, MOOD_CALM)

    def test_an_update_may_not_add_another_field_of_the_same_parameter(self, world: World) -> None:
        persona_id = world.save(department_ids=[CARE], parameter_field_ids=[TONE_FORMAL])
        withhold(world)
        item = {"persona_id": persona_id, "parameter_field_ids": [TONE_FORMAL, TONE_IS_CALM]}

        answer = world.client("coach").call("update", {"personas": [item]})

        assert pointers(answer) == ["/personas/0/parameter_field_ids/1"]

    def test_a_patch_may_send_back_what_the_draft_has(self, world: World) -> None:
        draft_id = world.draft("coach", parameter_field_ids=[TONE_FORMAL])
        withhold(world)
        body = {"input_draft_id": draft_id, "expected_version": 1, "parameter_field_ids": [TONE_FORMAL, MOOD_CALM]}

        answer = world.client("coach").call("draft", body)

        assert answer.status == 200
        assert answer.body["form_state"]["parameter_field_ids"] == [TONE_FORMAL, MOOD_CALM]

    def test_a_copy_has_the_links_of_its_source(self, world: World) -> None:
        persona_id = world.save(department_ids=[CARE], parameter_field_ids=[TONE_FORMAL])
        withhold(world)

        copy = world.client("coach").call("duplicate", {"persona_id": persona_id}).body["persona_id"]

        assert world.persona(copy).form.parameter_field_ids == (TONE_FORMAL,)
