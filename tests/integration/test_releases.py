"""The last release and the present one side by side, as during a deployment and after a rollback.

Each reads what the other wrote: personas, drafts, deletions, records of Idempotency-Keys, exports, and the snapshots of
all views. RELEASES_SEED takes another walk, RELEASES_STEPS a longer one, MERGE_ROUNDS has more merged.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final
from uuid import uuid4

import pytest

from support.client import Answer
from support.exported import cells, values
from support.releases import Group, Release, Releases

SEED: Final = int(os.environ.get("RELEASES_SEED", "15"))
STEPS: Final = int(os.environ.get("RELEASES_STEPS", "60"))
WHOLE_EVERY: Final = 30
MOST_PERSONAS: Final = 8

NEEDED: Final = {"name": "Ada", "color": "Teal", "icon": "Star", "instructions": "Ask before you answer."}
FULL: Final = {
    **NEEDED,
    "description": "Calm.",
    "active_flag": True,
    "departments": ["Care"],
    "parameter_fields": ["Calm"],
    "examples": ["Hello?", "Yes, or no"],
    "voices": ["Alto"],
}
VALUES: Final[dict[str, tuple[object, ...]]] = {
    "name": ("Ada", "ada ", "Änne", "Bo @work", "N" * 199),
    "description": ("Calm.", "Ännes friend", "=1+1", None),
    "instructions": ("Ask.", "Line\nby line", "I" * 5_000),
    "color": ("Teal", "Plum"),
    "icon": ("Star", "Heart"),
    "active_flag": (True, False),
    "departments": (["Care"], ["Sales"], ["Care", "Sales"], []),
    "parameter_fields": (["Calm"], ["Angry"], ["Calm", "Angry"], []),
    "examples": (["Hello?"], ["a|b", "Yes, or no"], []),
    "voices": (["Alto"], ["Bass"], []),
}
SINGLE: Final = {"color_id": "colors", "icon_id": "icons"}
SEVERAL: Final = {
    "department_ids": ("departments", "department_id"),
    "parameter_field_ids": ("parameter_fields", "id"),
    "voice_ids": ("voices", "id"),
}
SEARCHES: Final[tuple[dict[str, object], ...]] = ({}, {"search": "ad"}, {"search": "ÄNNE"}, {"search": "friend"})

pytestmark = pytest.mark.emulator


@pytest.fixture(params=["the last release first", "the present one first"])
def pair(request: pytest.FixtureRequest, releases: Releases) -> tuple[Release, Release]:
    """Provide the release that writes and the one that reads."""
    both = releases.old, releases.new
    return both if request.param.startswith("the last") else both[::-1]


@pytest.fixture
def group(releases: Releases) -> Iterator[Group]:
    """Provide a new group; nothing of it may have been hard to read for either release."""
    releases.warnings()
    yield releases.group()
    assert releases.warnings() == []


def test_a_persona_is_read_and_changed_by_the_other(group: Group, pair: tuple[Release, Release]) -> None:
    # Given a persona of one release,
    writer, reader = pair
    (made,) = group.succeed(writer, "create", {"personas": [FULL]})["results"]
    asked = {"persona_id": made["persona_id"]}
    # when the other changes it, and both take turns,
    for number, release in enumerate((reader, writer, reader, writer)):
        item = {**asked, "description": f"Turn {number}", "expected_version": number + 1}
        (changed,) = group.succeed(release, "update", {"personas": [item]})["results"]
        assert changed["version"] == number + 2
        # then both show it whole each time, with what was not changed,
        body = group.agreed("get", asked).body
        assert (body["descriptions"]["resource"]["description"], body["version"]) == (f"Turn {number}", number + 2)
        assert [each["example"] for each in body["examples"]["current"]] == FULL["examples"]
        assert [each["voice"] for each in body["voices"]["current"]] == ["Alto"]
    # and a stale version is stale for both.
    stale = {**asked, "description": "Too late", "expected_version": 2}
    assert group.agreed("update", {"personas": [stale]}).status == 409
    assert group.agreed("update", {"personas": [{**asked, "name": "Too late"}]}, if_match='"2"').status == 412


def test_a_copy_and_a_deletion_are_known_to_the_other(group: Group, pair: tuple[Release, Release]) -> None:
    # Given a persona that one release made, and the other has seen and copied,
    writer, reader = pair
    (made,) = group.succeed(writer, "create", {"personas": [FULL]})["results"]
    assert [each["name"] for each in group.agreed("search").body["personas"]] == ["Ada"]
    group.succeed(reader, "duplicate", {"persona_id": made["persona_id"]})
    # when the first copies it once more and deletes it,
    group.succeed(writer, "duplicate", {"persona_id": made["persona_id"]})
    group.succeed(writer, "delete", {"persona_ids": [made["persona_id"]]})
    # then both know so,
    assert group.agreed("get", {"persona_id": made["persona_id"]}).status == 404
    assert [each["name"] for each in group.agreed("search").body["personas"]] == ["Ada Copy", "Ada Copy 2"]
    # and the other brings its id back, with the versions that follow.
    (back,) = group.succeed(reader, "create", {"personas": [{**NEEDED, "id": made["persona_id"]}]})["results"]
    assert back["version"] == 3
    assert group.agreed("get", {"persona_id": made["persona_id"]}).body["version"] == 3


def test_a_draft_goes_on_in_the_other(group: Group, pair: tuple[Release, Release]) -> None:
    # Given a draft of one release,
    writer, reader = pair
    draft = group.succeed(writer, "draft", {"name": "Mara", "examples": ["Hello?"]})
    # when both patch it in turns,
    for version, release in enumerate((reader, writer, reader), 1):
        patch = {"input_draft_id": draft["draft_id"], "expected_version": version, "description": f"Turn {version}"}
        assert group.succeed(release, "draft", patch)["new_version"] == version + 1
        # then both show it, alone and in the list,
        body = group.agreed("get", {"draft_id": draft["draft_id"]}).body
        assert body["descriptions"]["resource"]["description"] == f"Turn {version}"
        assert body["names"]["resource"]["name"] == "Mara"
        assert [each["version"] for each in group.agreed("drafts").body["entries"]] == [version + 1]
    # and a patch of an older version is a conflict in both.
    stale = {"input_draft_id": draft["draft_id"], "expected_version": 2, "name": "Too late"}
    assert group.agreed("draft", stale).status == 409


def test_a_keyed_call_is_answered_by_the_other_as_by_the_first(group: Group, pair: tuple[Release, Release]) -> None:
    # Given calls under Idempotency-Keys that one release answered,
    writer, reader = pair
    key = str(uuid4())
    personas = {"personas": [FULL, {**NEEDED, "name": "Bo"}]}
    first = group.call(writer, "create", personas, idempotency_key=key)
    draft = group.call(writer, "draft", {"name": "Mara"}, idempotency_key=f"{key}-draft")
    # when they are repeated to the other,
    again = group.call(reader, "create", personas, idempotency_key=key)
    # then it answers the same and makes nothing,
    assert (again.status, again.body) == (first.status, first.body)
    assert group.call(reader, "draft", {"name": "Mara"}, idempotency_key=f"{key}-draft").body == draft.body
    assert group.agreed("search").body["total_count"] == 2
    # and both refuse another body under the same key.
    assert group.agreed("create", {"personas": [FULL]}, idempotency_key=key).status == 422


def test_the_snapshots_of_all_views_serve_the_other(group: Group, pair: tuple[Release, Release]) -> None:
    # Given a group whose views one release has made,
    writer, reader = pair
    made = group.succeed(writer, "create", {"personas": [FULL, {**FULL, "name": "Bo"}, {**NEEDED, "name": "Cy"}]})
    assert group.succeed(writer, "refresh")["refreshed_views"] != []
    for number, release in enumerate((reader, writer)):
        release.renew()
        # when the other reads them in new environments,
        group.agreed("search")
        offered = group.agreed("get", {"descriptions_search": "calm"}).body
        assert [each["description"] for each in offered["descriptions"]["resources"]] == ["Calm."]
        assert len(cells(group.exported(release, release))) == 3 + number
        # then it has nothing to rebuild: a refresh finds all of them readable and true;
        assert group.succeed(release, "refresh")["refreshed_views"] == []
        # and what it carries on from them serves the first as well.
        (persona, *_) = made["results"]
        changed = {"persona_id": persona["persona_id"], "name": f"Ada {number}"}
        group.succeed(release, "update", {"personas": [changed]})
        group.succeed(release, "create", {"personas": [{**FULL, "name": f"New {number}"}]})
        assert "personas_search" in group.succeed(release, "refresh")["refreshed_views"]
        group.agreed("get")


def test_the_last_release_makes_views_anew_that_have_changes_beside_them(releases: Releases) -> None:
    # Given a group whose texts have a change beside their columns, as the present release stores them,
    group = releases.group()
    texts = [f"Like {number} others" for number in range(120)]
    made = group.succeed(group.new, "create", {"personas": [{**NEEDED, "description": text} for text in texts]})
    group.succeed(group.new, "refresh")
    changed = {"persona_id": made["results"][0]["persona_id"], "description": "Unlike them"}
    group.succeed(group.new, "update", {"personas": [changed]})
    group.succeed(group.new, "refresh")
    releases.warnings()
    # when the last release, which does not know that format, refreshes the group,
    group.old.renew()
    refreshed = group.succeed(group.old, "refresh")
    # then it says so and makes all views anew,
    assert len(refreshed["refreshed_views"]) == 3
    warned = releases.warnings()
    assert warned != []
    assert all("a snapshot cannot be used" in line for line in warned)
    # and either offers the same from them, in a new environment.
    for release in (group.old, group.new):
        release.renew()
    offered = group.agreed("get", {"descriptions_search": "unlike"}).body
    assert [each["description"] for each in offered["descriptions"]["resources"]] == ["Unlike them"]
    assert group.agreed("search").body["total_count"] == 120
    assert releases.warnings() == []


def test_an_exported_file_is_the_same_and_found_by_the_other(group: Group, pair: tuple[Release, Release]) -> None:
    writer, reader = pair
    group.succeed(writer, "create", {"personas": [FULL, {**FULL, "name": "=1+1"}]})
    ours, theirs = group.exported(writer, reader), group.exported(reader, writer)
    assert cells(ours) == cells(theirs)


# ---- A walk ------------------------------------------------------------------------------------------------------


@dataclass
class Walk:
    """A walk of random calls, each to one of the releases; ``versions`` are those of the living personas."""

    group: Group
    random: Random
    versions: dict[str, int] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    drafts: dict[str, int] = field(default_factory=dict)
    selections: dict[str, tuple[object, ...]] = field(init=False)
    """The fields of a draft, and the values that they take: texts, and ids of the rest."""

    def __post_init__(self) -> None:
        form = self.group.agreed("get").body
        self.selections = {name: VALUES[name] for name in ("name", "description", "instructions", "examples")}
        for name, section in SINGLE.items():
            self.selections[name] = tuple(each["id"] for each in form[section]["resources"])
        for name, (section, id_name) in SEVERAL.items():
            ids = [each[id_name] for each in form[section]["resources"]]
            self.selections[name] = (ids, ids[:1], [])

    @property
    def any_release(self) -> Release:
        return self.random.choice((self.group.old, self.group.new))

    def step(self) -> None:
        """Write something, and have both releases agree on what it was about."""
        steps = [self.draft, self.refresh, self.renew]
        if len(self.versions) < MOST_PERSONAS:
            steps += [self.create, self.create]
        if self.versions:
            steps += [self.update, self.update, self.update, self.duplicate, self.delete]
        if self.drafts:
            steps += [self.patch, self.patch]
        self.random.choice(steps)()
        self.group.agreed("search", self.random.choice(SEARCHES), who=self.random.choice(("root", "coach")))

    def create(self) -> None:
        items: list[dict[str, Any]] = [{**NEEDED, **self._some(VALUES)} for _ in range(self.random.randint(1, 3))]
        if self.deleted and self.random.random() < 0.7:
            items[0]["id"] = self.deleted.pop()
        key, body = str(uuid4()), {"personas": items}
        answer = self._written("create", body, idempotency_key=key)
        for result in answer["results"]:
            assert result["success"], result
            self._now(result["persona_id"], result["version"])
        if self.random.random() < 0.3:
            assert self._written("create", body, idempotency_key=key) == answer

    def update(self) -> None:
        persona_id, version = self._one(self.versions)
        item = {"persona_id": persona_id, **self._some(VALUES)}
        headers = {}
        match self.random.randrange(3):
            case 0:
                item["expected_version"] = version
            case 1:
                headers["if_match"] = f'"{version}"'
        (result,) = self._written("update", {"personas": [item]}, **headers)["results"]
        assert result["version"] >= version
        self._now(persona_id, result["version"])

    def duplicate(self) -> None:
        persona_id, _ = self._one(self.versions)
        copy = self._written("duplicate", {"persona_id": persona_id})["persona_id"]
        self._now(copy, 1)

    def delete(self) -> None:
        persona_id, _ = self._one(self.versions)
        self._written("delete", {"persona_ids": [persona_id]})
        del self.versions[persona_id]
        self.deleted.append(persona_id)
        assert self.group.agreed("get", {"persona_id": persona_id}).status == 404

    def draft(self) -> None:
        answer = self._written("draft", self._some(self.selections))
        self._patched(answer["draft_id"], answer["new_version"])

    def patch(self) -> None:
        draft_id, version = self._one(self.drafts)
        body = {"input_draft_id": draft_id, "expected_version": version, **self._some(self.selections)}
        self._patched(draft_id, self._written("draft", body)["new_version"])

    def refresh(self) -> None:
        self._written("refresh", None)

    def renew(self) -> None:
        self.any_release.renew()

    def whole(self) -> None:
        """Have both releases agree on everything that there is."""
        for who in ("root", "coach"):
            for persona_id in (None, *self.versions, *self.deleted):
                self.group.agreed("get", {"persona_id": persona_id}, who=who)
            self.group.agreed("get", {"descriptions_search": "n", "instructions_search": "i"}, who=who)
            for body in SEARCHES:
                self.group.agreed("search", {**body, "page_size": 100}, who=who)
        self.group.agreed("drafts")
        old, new = self.group.old, self.group.new
        ours, theirs = (cells(self.group.exported(*each)) for each in ((old, new), (new, old)))
        assert [{name: row[name] for name in ours[0]} for row in theirs] == ours

    def _some(self, values: Mapping[str, Sequence[object]]) -> dict[str, Any]:
        names = self.random.sample(sorted(values), self.random.randint(1, 4))
        return {name: self.random.choice(values[name]) for name in names}

    def _one(self, versions: dict[str, int]) -> tuple[str, int]:
        return self.random.choice(list(versions.items()))

    def _written(self, operation: str, body: object, **headers: str) -> dict[str, Any]:
        return self.group.succeed(self.any_release, operation, body, **headers)

    def _now(self, persona_id: str, version: int) -> None:
        self.versions[persona_id] = version
        answer: Answer = self.group.agreed("get", {"persona_id": persona_id})
        assert answer.body["version"] == version

    def _patched(self, draft_id: str, version: int) -> None:
        self.drafts[draft_id] = version
        assert self.group.agreed("get", {"draft_id": draft_id}).body["draft_version"] == version


def test_both_answer_the_same_whoever_wrote(group: Group) -> None:
    walk = Walk(group, Random(SEED))
    for number in range(1, STEPS + 1):
        walk.step()
        if number % WHOLE_EVERY == 0:
            walk.whole()


# ---- Merging beside the last release -------------------------------------------------------------------------------

MERGE_ROUNDS: Final = int(os.environ.get("MERGE_ROUNDS", "10"))
"""Rounds of ten clients at once that merge beside one of the last release."""
SWITCHED: Final[Mapping[str, tuple[object, object]]] = {
    "color": ("Teal", "Plum"),
    "icon": ("Star", "Heart"),
    "active_flag": (False, True),
    "departments": ([], ["Care"]),
    "parameter_fields": ([], ["Calm"]),
    "voices": ([], ["Alto"]),
}
OWN: Final = ("name", "description", "instructions", *SWITCHED, "examples")
"""The field of each client."""
BEFORE: Final = {
    **NEEDED,
    "description": "Calm.",
    "examples": [],
    **{name: first for name, (first, _) in SWITCHED.items()},
}
OLD_WRITES: Final[Sequence[Callable[[int], dict[str, object]]]] = (
    lambda number: {"description": f"As ever {number}"},
    lambda number: {"name": f"Old {number}", "examples": [f"Old {number}"]},
)
"""The changes by the last release, which stamps nothing, in turns: of fields that others change, too."""


@dataclass(frozen=True)
class Saved:
    """A change that was saved. ``seen`` is the version that it was made on, None for one by the last release."""

    version: int
    fields: Mapping[str, object]
    seen: int | None = None


@dataclass(frozen=True)
class Refused:
    """A conflict: the version that was expected, the one that was stored, and what was told of the field."""

    seen: int
    current: int
    told: Mapping[str, Any]


@dataclass
class Merging:
    """Clients of both releases on one persona, and what they were answered."""

    group: Group
    persona_id: str
    saved: list[Saved] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OWN, 1))
    """The version that each client saw last: its own, or the one that a conflict told."""
    turns: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OWN, 1))
    """The change that each client makes next."""

    def merge(self, name: str) -> None:
        """Have the present release change a field over the version that its client has seen."""
        sent, seen = {name: _own(name, self.turns[name])}, self.seen[name]
        item = {"persona_id": self.persona_id, "expected_version": seen, "merge": True, **sent}
        answer = self.group.call(self.group.new, "update", {"personas": [item]})
        if answer.status == 200:
            (result,) = answer.body["results"]
            self.seen[name] = result["version"]
            self.turns[name] += 1
            self.saved.append(Saved(result["version"], sent, seen))
            return
        assert (answer.status, answer.body["code"]) == (409, "version_conflict"), answer.text
        (told,) = answer.body["conflicts"]
        self.seen[name] = answer.body["current_version"]
        self.refused.append(Refused(seen, self.seen[name], told))

    def write_as_ever(self, fields: Mapping[str, object]) -> None:
        """Have the last release save a change, whatever stands there."""
        item = {"persona_id": self.persona_id, **fields}
        (result,) = self.group.succeed(self.group.old, "update", {"personas": [item]})["results"]
        self.saved.append(Saved(result["version"], fields))

    def check(self) -> None:
        """Check that each change made a version of its own, and was saved or refused by what had changed since."""
        by_version = {each.version: each for each in self.saved}
        assert sorted(by_version) == list(range(2, len(self.saved) + 2))

        def last_changed(name: str, up_to: int) -> int:
            """Return the version in which a field last counted as changed: by the last release, each in each."""
            return max(each.version for each in self.saved if each.version <= up_to and counts(each, name))

        def counts(each: Saved, name: str) -> bool:
            return each.seen is None or name in each.fields

        for each in self.saved:
            between = range((each.seen or each.version) + 1, each.version)
            for name in each.fields:
                assert not [number for number in between if counts(by_version[number], name)], each
        for refused in self.refused:
            name = "active_flag" if refused.told["field"] == "active" else refused.told["field"]
            changed = last_changed(name, refused.current)
            assert (refused.told["version"], refused.told["changed_by"]) == (changed, None), refused
            assert refused.seen < changed
            assert _named(refused.told["stored"]) == _shown(name, self.values_at(refused.current)[name]), refused

    def values_at(self, version: int) -> dict[str, object]:
        """Return what the persona holds in a version, where no change is lost."""
        held = dict(BEFORE)
        for each in sorted(self.saved, key=lambda each: each.version):
            if each.version <= version:
                held |= each.fields
        return held


def _own(name: str, turn: int) -> object:
    """Return the value that a client gives its field: another one each turn."""
    if name in SWITCHED:
        return SWITCHED[name][turn % 2]
    return [f"Turn {turn}"] if name == "examples" else f"Turn {turn}"


def _shown(name: str, value: object) -> object:
    """Return a value as a conflict shows it."""
    return ("active" if value else None) if name == "active_flag" else value


def _named(shown: Any) -> object:
    """Return what a conflict shows with names alone."""
    if isinstance(shown, list):
        return [_named(each) for each in shown]
    return shown["name"] if isinstance(shown, dict) else shown


def test_who_merges_beside_the_last_release_loses_nothing(group: Group) -> None:
    # Given a persona that the last release has changed since ten clients saw it,
    (made,) = group.succeed(group.new, "create", {"personas": [BEFORE]})["results"]
    merging = Merging(group, made["persona_id"])
    merging.write_as_ever({"description": "Since then."})
    random = Random(SEED)
    with ThreadPoolExecutor(len(OWN) + 1) as pool:
        # when each changes a field of its own again and again, and in every second round the last release writes, too,
        for number in range(MERGE_ROUNDS):
            merges, place = [pool.submit(merging.merge, name) for name in OWN], random.randrange(len(OWN))
            old = []
            for answered, each in enumerate(as_completed(merges)):
                each.result()
                if number % 2 and answered == place:
                    change = OLD_WRITES[number // 2 % len(OLD_WRITES)](number)
                    old.append(pool.submit(merging.write_as_ever, change))
            for each in old:
                each.result()
        # then each is told a conflict with what was not stamped, or gets through, and no change is lost;
        merging.check()
        assert len(merging.refused) >= len(OWN)
        # and when the last release writes no more, all get through, of whatever version since.
        met, last = len(merging.refused), max(each.version for each in merging.saved if each.seen is None)
        merging.seen = {name: max(seen, last) for name, seen in merging.seen.items()}
        for _ in range(3):
            list(pool.map(merging.merge, OWN))
    assert len(merging.refused) == met
    merging.check()
    current = len(merging.saved) + 1
    for release in (group.old, group.new):
        (row,) = cells(group.exported(release, release))
        assert int(row["version"]) == current
        assert {name: values(row)[name] for name in BEFORE} == merging.values_at(current)
