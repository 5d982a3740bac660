"""Walks across everything that writes, operations and command line: all answers agree with a plain model.

After every step one caller's search, with all its counts, a form and a list of drafts are compared, in an environment
that may not have run for a while; the callers, the environments and the filters take turns. After every 25th step, and
at the end of a walk, everything is: search, get, export and drafts, for each of the three callers.
"""

import csv
import os
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, cast
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from personas.domain.cells import escape, join_list
from personas_tools.template import TableRequest
from support.agreement import SECTION, Agreement
from support.aws import Aws
from support.background import schedule
from support.client import Answer
from support.environments import refusing
from support.iam import Guard
from support.model import (
    EMPTY,
    FORM,
    HISTORY,
    TEXTS,
    Caller,
    Draft,
    Entry,
    Group,
    Link,
    Persona,
    Query,
    Selection,
    copy_name,
)
from support.premises import COPY, Premises

STEPS: Final = int(os.environ.get("WALKS_STEPS", "400"))
SEED: Final = int(os.environ.get("WALKS_SEED", "1"))
LENGTH: Final = 50
"""Steps of a walk."""
WHOLE_EVERY: Final = 25
MOST_PERSONAS: Final = 9

NAMES: Final = ("Ada", "ada ", "Änne", "=1+1", "Bo @work", "N" * 199)
DESCRIPTIONS: Final = ("Calm.", "+49 is a number", "Ännes friend", "Says | and \\.", None)
INSTRUCTIONS: Final = ("Ask.", "-Listen, then ask.", "Line\nby line", "I" * 150)
EXAMPLES: Final = ("Hello?", "@all", "a|b\\c", "Yes, or no")
SEARCHES: Final = ("", "ad", "ÄNNE", "1+", "work", "nothing at all")

CALLERS: Final = ("root", "coach", "seller")
PROFILES: Final = ("coach", "seller", "Ola", "Pia")
WAITS: Final = (
    *(timedelta(seconds=each) for each in (0.5, 3, 14, 61)),
    *(timedelta(minutes=16), timedelta(hours=9), timedelta(days=8), timedelta(days=31), timedelta(days=91)),
)

A_MINUTE: Final = timedelta(seconds=61)
"""After it, nobody holds what was read of a profile or a key before."""

WHO = st.sampled_from(CALLERS)
PLACE = st.integers(0, 2)
PICK = st.integers(0, 11)
PICKS = st.lists(PICK, max_size=2, unique=True)
FEW = st.lists(PICK, min_size=1, max_size=2, unique=True)
DEPARTMENTS = st.sampled_from(("own", "own", "own", "care", "sales", "both", "none"))
FIELDS = st.fixed_dictionaries(
    {"by_name": st.booleans()},
    optional={
        "name": st.sampled_from(NAMES),
        "description": st.sampled_from(DESCRIPTIONS),
        "instructions": st.sampled_from(INSTRUCTIONS),
        "color": PICK,
        "icon": PICK,
        "active": st.booleans(),
        "departments": DEPARTMENTS,
        "parameter_fields": PICKS,
        "examples": st.lists(st.sampled_from(EXAMPLES), max_size=2, unique=True),
        "voices": PICKS,
    },
)
ORIGIN = st.sampled_from(("made", "made", "given", "back", "back", "taken"))

type Spec = Mapping[str, Any]
KIND_OF: Final = {"colors": "color", "icons": "icon"}


@dataclass
class Row:
    """A row of a file, and the persona that it made."""

    cells: dict[str, object]
    persona_id: str = ""


class Walks(RuleBasedStateMachine):
    """A group, what was done to it, and what its callers must be shown."""

    aws: Aws
    guard: Guard
    definitions: Mapping[str, TableRequest]
    folder: Path
    taken = 0
    """Steps of all walks."""

    def __init__(self) -> None:
        super().__init__()
        self.premises = Premises(self.aws, self.guard, self.definitions, self.folder)
        self.steps = 0
        self.touched: str | None = None
        """The persona that the last step was about."""
        self.changed = True
        """True when personas have changed since the last refresh."""
        self.damaged = False
        """True when an object that the group's record points to has been damaged since the last refresh."""
        self.files: list[list[Row]] = []
        self.copied: tuple[Persona, ...] | None = None
        self.ids = {name: str(uuid4()) for name in ("Care", "Sales")}
        self.group = Group(
            {
                "root": Caller("root", "superadmin"),
                "coach": Caller("coach", "instructional", frozenset({self.ids["Care"]})),
                "seller": Caller("seller", "instructional", frozenset({self.ids["Sales"]})),
            }
        )
        self.group.clock = lambda: self.premises.now
        self.agreement = Agreement(self.group, self._asks, self.premises.stored, lambda: self.premises.now)
        try:
            self._begin()
        except BaseException:
            self.premises.close()
            raise

    def _begin(self) -> None:
        """Fill the library, and let the callers in."""
        group, of = self.group, {"Mood": str(uuid4()), "Tone": str(uuid4())}
        names = {
            "departments": ("Care", "Sales"),
            "colors": ("Teal", "Plum"),
            "icons": ("Star", "Heart"),
            "voices": ("Alto", "Bass"),
            "scenarios": ("First", "Second"),
        }
        library: dict[str, dict[str, Entry]] = {
            kind: {self.ids.get(name) or str(uuid4()): _entry(kind, name, group) for name in of_kind}
            for kind, of_kind in names.items()
        }
        library["parameters"] = {of[name]: _entry("parameters", name, group) for name in of}
        library["fields"] = {
            str(uuid4()): {"name": name, "active": True, "departments": [], "of": of[parameter]}
            for parameter, name in (("Mood", "Calm"), ("Mood", "Angry"), ("Tone", "Calm"), ("Tone", "Formal"))
        }
        self._load(library)
        for who in CALLERS:
            self._put_profile(who, frozenset())
            self.premises.keys[who] = self._issue(who)
        self._learn_links()

    # ---- Personas ----------------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.group.personas) < MOST_PERSONAS)
    @rule(
        place=PLACE, who=WHO, items=st.lists(st.tuples(ORIGIN, PICK, FIELDS), min_size=1, max_size=2), mcp=st.booleans()
    )
    def create(self, place: int, who: str, items: list[tuple[str, int, Spec]], mcp: bool) -> None:
        sent: list[dict[str, object]] = []
        wanted: list[Persona | None] = []
        claimed: set[str] = set()
        for origin, pick, spec in items:
            body, fields = self._fields(who, {**_NEEDED, "departments": "own", **spec}, None)
            persona_id = self._id_for(origin, pick)
            sent.append({**body, **({"id": persona_id} if persona_id else {})})
            fails = fields is None or persona_id in claimed or persona_id in self.group.personas
            if persona_id:
                claimed.add(persona_id)
            wanted.append(None if fails or fields is None else self._new(fields, persona_id or "", mcp))
        answer = self._write(place, who, "create", {"personas": sent}, [each is not None for each in wanted], mcp)
        for persona, result in zip(wanted, _results(answer), strict=True):
            if persona is not None:
                assert persona.id in ("", result["persona_id"])
                self._stored(replace(persona, id=result["persona_id"]), result["version"])

    @precondition(lambda self: self.group.versions)
    @rule(
        place=PLACE,
        who=WHO,
        items=st.lists(
            st.tuples(PICK, FIELDS, st.sampled_from((None, 0, 0, -1, -2, 1)), st.booleans()), min_size=1, max_size=2
        ),
    )
    def update(self, place: int, who: str, items: list[tuple[int, Spec, int | None, bool]]) -> None:
        sent: list[dict[str, object]] = []
        wanted: list[Persona | None] = []
        conflicts: list[set[str]] = []
        named: set[str] = set()
        for pick, spec, off, merge in items:
            persona_id = self._known(pick)
            persona = self._seen(who, persona_id)
            body, fields = self._fields(who, spec, persona)
            expected = None if off is None else max(1, self.group.versions[persona_id] + off)
            guard = {} if expected is None else {"expected_version": expected, "merge": merge}
            sent.append({"persona_id": persona_id, **body, **guard})
            fails = persona is None or persona_id in named or not self.group.may_edit(who, persona) or fields is None
            named.add(persona_id)
            conflicts.append(set())
            if fails or persona is None or fields is None:
                wanted.append(None)
                continue
            if expected is not None and expected < persona.version and merge:
                conflicts[-1] = self.group.conflicts(persona, fields, expected)
                fails = bool(conflicts[-1])
            else:
                fails = expected not in (None, persona.version)
            wanted.append(None if fails else replace(persona, **fields))
        answer = self._write(place, who, "update", {"personas": sent}, [each is not None for each in wanted])
        for item, persona, overlap, result in zip(sent, wanted, conflicts, _results(answer), strict=True):
            assert {each["field"] for each in result.get("conflicts", ())} == overlap, answer.text
            if persona is not None:
                stale = item.get("expected_version", persona.version) != persona.version
                assert result.get("merged") is (True if stale else None)
                self._updated(persona, result["version"])

    @precondition(lambda self: self.group.versions)
    @rule(place=PLACE, who=WHO, picks=FEW)
    def delete(self, place: int, who: str, picks: list[int]) -> None:
        ids = [self._known(pick) for pick in picks]
        wanted: list[bool] = []
        for position, persona_id in enumerate(ids):
            persona = self._seen(who, persona_id)
            wanted.append(
                persona is not None and persona_id not in ids[:position] and self.group.may_delete(who, persona)
            )
        self._write(place, who, "delete", {"persona_ids": ids}, wanted)
        for persona_id, deleted in zip(ids, wanted, strict=True):
            if deleted:
                self.group.remove(persona_id)
                self.touched, self.changed = persona_id, True

    @precondition(lambda self: self.group.versions and len(self.group.personas) < MOST_PERSONAS)
    @rule(place=PLACE, who=WHO, pick=PICK, mcp=st.booleans())
    def duplicate(self, place: int, who: str, pick: int, mcp: bool) -> None:
        group, caller = self.group, self.group.callers[who]
        source = self._seen(who, self._known(pick))
        answer = self._calls(place, who, "duplicate", {"persona_id": self._known(pick)}, mcp)
        if source is None:
            assert answer.status == 404, answer.text
            return
        departments = source.departments
        if not caller.sees_all:
            own = tuple(each for each in departments if each in caller.departments)
            departments = own or tuple(sorted(caller.departments))
        if not caller.may_assign(departments):
            assert answer.status == 422, answer.text
            return
        assert answer.status == 200, answer.text
        number = group.copies[source.id] = group.copies.get(source.id, 0) + 1
        copy = replace(
            source,
            id=answer.body["persona_id"],
            name=copy_name(source.name, number),
            active=False,
            departments=departments,
            scenarios=(),
            mcp=mcp,
        )
        self._stored(self._made(copy), 1)

    # ---- Versions ----------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.group.versions)
    @rule(place=PLACE, who=WHO, pick=PICK, size=st.integers(1, 3))
    def read_history(self, place: int, who: str, pick: int, size: int) -> None:
        """Read all versions of a persona, a page after the other, and each of them."""
        group, persona_id = self.group, self._known(pick)
        if self._is_about_to_end(persona_id):
            return
        now = group.shown(who, persona_id)
        found: list[int] = []
        before: int | None = None
        while before is not None or not found:
            asked = {"persona_id": persona_id, "page_size": size, "before_version": before}
            answer = self._calls(place, who, "history", asked)
            if now is None:
                assert answer.status == 404, answer.text
                return
            assert (answer.status, answer.body["pending"]) == (200, []), answer.text
            assert answer.body["deleted"] is now.deletes
            found += [each["version"] for each in answer.body["versions"]]
            before = answer.body["next_before_version"]
        line = {number: group.version(who, persona_id, number) for number in group.lines[persona_id]}
        assert found == sorted((number for number, each in line.items() if each), reverse=True)
        for number in found:
            version = line[number]
            assert version is not None
            (told,) = self._calls(place, who, "history", {"persona_id": persona_id, "version": number}).body["versions"]
            values = told["values"]
            assert (values is None) is version.deletes
            if values is not None:
                shown = (values["name"], values["instructions"], values["color"]["id"], tuple(values["examples"]))
                then = version.persona
                assert shown == (then.name, then.instructions, then.color, then.examples)
                assert tuple(each["id"] for each in values["departments"]) == then.departments

    @precondition(lambda self: self.group.versions)
    @rule(place=PLACE, who=WHO, pick=PICK, back=st.integers(-1, 6), off=st.sampled_from((None, None, 0, -1)))
    def restore_version(self, place: int, who: str, pick: int, back: int, off: int | None) -> None:
        """Bring back a version that is so many versions old."""
        group, persona_id = self.group, self._known(pick)
        if self._is_about_to_end(persona_id):
            return
        current = group.versions[persona_id]
        number = max(0, current - back)
        guard = {} if off is None else {"expected_version": current + off}
        answer = self._calls(place, who, "restore", {"persona_id": persona_id, "version": number, **guard})
        shown, then = group.shown(who, persona_id), group.version(who, persona_id, number)
        now = group.personas.get(persona_id)
        if shown is None or then is None or (now is None and group.version(who, persona_id, current - 1) is None):
            assert answer.status == 404, answer.text
        elif now is not None and not group.may_edit(who, now):
            assert answer.status == 403, answer.text
        elif off:
            assert answer.status == 409, answer.text
        elif then.deletes:
            assert answer.status == 422, answer.text
        elif now is not None and _form(now) == _form(then.persona):
            assert (answer.status, answer.body["version"]) == (200, current), answer.text
        elif not group.may_bring_back(who, then.persona, now):
            assert answer.status in (403, 422), answer.text
        else:
            assert answer.status == 200, answer.text
            fields = dict(zip(FORM, _form(then.persona), strict=True))
            last = now or shown.persona
            self._stored(replace(last, **fields, updated_at=self._moment()), answer.body["version"])

    def _is_about_to_end(self, persona_id: str) -> bool:
        """Tell whether a version ends within the minutes by which the model may be off."""
        ends = [each.ended + HISTORY for each in self.group.lines[persona_id].values() if each.ended]
        return any(abs(end - self.premises.now) < timedelta(minutes=5) for end in ends)

    # ---- Drafts ------------------------------------------------------------------------------------------------------

    @rule(place=PLACE, who=WHO, spec=FIELDS, cleared=st.lists(st.sampled_from(tuple(EMPTY)), max_size=2))
    def begin_draft(self, place: int, who: str, spec: Spec, cleared: list[str]) -> None:
        body, fields = self._patch(who, spec, cleared)
        answer = self._calls(place, who, "draft", body)
        if fields is None:
            assert answer.status == 422, answer.text
            return
        assert answer.status == 200, answer.text
        now = self.premises.now
        self._told_of(Draft(answer.body["draft_id"], who, 1, now, now, fields), answer)

    @precondition(lambda self: self.group.drafts)
    @rule(
        place=PLACE,
        who=WHO,
        pick=PICK,
        spec=FIELDS,
        cleared=st.lists(st.sampled_from(tuple(EMPTY)), max_size=2),
        off=st.sampled_from((0, 0, 0, -1, -2)),
        merge=st.booleans(),
    )
    def patch_draft(
        self, place: int, who: str, pick: int, spec: Spec, cleared: list[str], off: int, merge: bool
    ) -> None:
        draft = self._draft(pick)
        is_own = draft.owner == who and self.group.lives(draft, self.premises.now)
        body, fields = self._patch(who, spec, cleared, draft if is_own else None)
        expected = max(0, draft.version + off)
        answer = self._calls(
            place, who, "draft", {"input_draft_id": draft.id, "expected_version": expected, "merge": merge, **body}
        )
        if not is_own:
            assert answer.status == 404 or (answer.status == 422 and fields is None), answer.text
        elif fields is None:
            assert answer.status == 422, answer.text
        elif expected != draft.version and (not merge or draft.conflicts(fields, expected)):
            told = {each["field"] for each in answer.body.get("conflicts", ())}
            assert len(told) == (len(draft.conflicts(fields, expected)) if merge else 0)
            assert (answer.status, answer.body["current_version"]) == (409, draft.version), answer.text
            self.agreement.form_state(draft, answer.body["form_state"])
        else:
            assert answer.status == 200, answer.text
            assert answer.body.get("merged") is (True if expected != draft.version else None)
            draft.patched(fields, self.premises.now)
            self._told_of(draft, answer)

    @precondition(lambda self: self.group.drafts and len(self.group.personas) < MOST_PERSONAS)
    @rule(place=PLACE, pick=PICK)
    def save_draft(self, place: int, pick: int) -> None:
        """Create what a draft holds, by the ids that its form gives."""
        draft = self._draft(pick)
        if not self.group.lives(draft, self.premises.now):
            return
        form, who = self.group.form(None, draft), draft.owner
        item = {name: self._as_sent(name, value) for name, value in form.items() if value}
        caller, departments = self.group.callers[who], cast("tuple[str, ...]", form["department_ids"])
        needed = all(form[name] for name in ("name_id", "instructions_id", "color_id", "icon_id"))
        links = cast("tuple[str, ...]", form["parameter_field_ids"])
        fine = needed and caller.may_assign(departments) and self._may_link(who, links, ())
        answer = self._write(place, who, "create", {"personas": [item]}, [fine])
        if fine:
            fields = {**_persona_fields(form), "departments": departments}
            (result,) = _results(answer)
            self._stored(self._new(fields, result["persona_id"], mcp=False), result["version"])

    # ---- Files -------------------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.group.personas) < MOST_PERSONAS)
    @rule(place=PLACE, specs=st.lists(FIELDS, min_size=1, max_size=2))
    def import_file(self, place: int, specs: list[Spec]) -> None:
        """Create what a new file says."""
        rows: list[Row] = []
        for number, spec in enumerate(specs):
            _, fields = self._fields("root", {**_NEEDED, **spec}, None)
            assert fields is not None
            name = f"{fields['name'][:100]} {self.steps}.{number}"
            cells = self.group.cells(Persona("", 1, **{**fields, "name": name}))
            cells["active_flag"] = "true" if cells["active_flag"] else "false"
            rows.append(Row({key: value for key, value in cells.items() if key not in ("persona_id", "version")}))
        self.files.append(rows)
        self._import(place, rows)

    @precondition(lambda self: self.files and len(self.group.personas) < MOST_PERSONAS)
    @rule(place=PLACE, pick=PICK)
    def import_again(self, place: int, pick: int) -> None:
        """Import the file of an earlier step again: who was deleted comes back under its id."""
        self._import(place, self.files[pick % len(self.files)])

    @rule(place=PLACE)
    def import_export(self, place: int) -> None:
        """Update all personas with what they are, from the file that an export made."""
        fine = [each for each in self.group.personas.values() if self._can_be_imported(each)]
        with TemporaryDirectory(dir=self.folder) as folder:
            path = Path(folder) / "file.csv"
            path.write_bytes(self.premises.stored(self._calls(place, "root", "export")))
            result = self.premises.on_service(place, "root", "import", str(path), "--update")
        assert f"0 created, {len(fine)} updated" in result.output, result.output
        # They are that already: no version is made.

    # ---- The command line --------------------------------------------------------------------------------------------

    @rule(who=st.sampled_from(PROFILES), picks=st.lists(PICK, max_size=3, unique=True))
    def put_profile(self, who: str, picks: list[int]) -> None:
        """Assign personas to a profile: these, and no others any more."""
        known = list(self.group.personas)
        self._put_profile(who, frozenset(known[pick % len(known)] for pick in picks if known))

    @rule(who=st.sampled_from(("coach", "seller")), departments=st.sampled_from(("care", "sales", "both", "none")))
    def move_profile(self, who: str, departments: str) -> None:
        """Give a caller other departments. It takes effect within a minute."""
        caller = self.group.callers[who]
        self.group.callers[who] = replace(caller, departments=frozenset(self._departments(who, departments)))
        self._put_profile(who, self.group.profiles[who].intersection(self.group.personas))
        self.premises.wait(A_MINUTE)

    @rule(who=WHO)
    def change_key(self, who: str) -> None:
        """Issue another key, and revoke the one before: nobody is known by it after a minute."""
        old, self.premises.keys[who] = self.premises.keys[who], self._issue(who)
        self.premises.run("key", "revoke", old)
        self.premises.wait(A_MINUTE)
        self.premises.keys["nobody"] = old
        for place in range(3):
            assert self.premises.call(place, "nobody", "search").status == 401

    @rule(
        kind=st.sampled_from(("departments", "colors", "icons", "voices", "fields", "parameters")),
        pick=PICK,
        limits=DEPARTMENTS,
    )
    def change_library(self, kind: str, pick: int, limits: str) -> None:
        """Change an entry: rename it, withdraw it or bring it back, limit it to departments."""
        entry_id = list(self.group.library[kind])[pick % len(self.group.library[kind])]
        entry = dict(self.group.library[kind][entry_id])
        if kind in ("fields", "parameters") and pick % 3 == 0:
            entry["departments"] = list(self._departments("root", limits))
        elif pick % 3 == 1 and kind != "parameters":
            entry["name"] = f"{str(entry['name']).split()[0]} {self.steps}"
        elif kind != "departments":
            entry["active"] = not entry["active"]
        self._load({kind: {entry_id: entry}})
        self._learn_links()  # a field that came while its parameter was withdrawn is offered now

    @rule(kind=st.sampled_from(("colors", "icons", "voices", "fields")))
    def add_to_library(self, kind: str) -> None:
        """Add an entry."""
        if len(self.group.library[kind]) < 8:
            name = f"New {self.steps}"
            self._load({kind: {str(uuid4()): _entry(kind, name, self.group)}})
            self._learn_links()

    @rule(pick=st.integers(0, 1), active=st.booleans(), picks=PICKS)
    def cast_scenario(self, pick: int, active: bool, picks: list[int]) -> None:
        """Load a scenario with another cast."""
        scenario_id = list(self.group.library["scenarios"])[pick]
        entry = {**self.group.library["scenarios"][scenario_id], "active": active}
        known = list(self.group.personas)
        cast_ids = {known[each % len(known)] for each in picks if known}
        self._load({"scenarios": {scenario_id: entry}}, {scenario_id: cast_ids})

    # ---- Copies of the table -----------------------------------------------------------------------------------------

    @rule()
    def take_copy(self) -> None:
        self.premises.take_copy()
        self.copied = self.group.snapshot()

    @precondition(lambda self: self.copied is not None)
    @rule(pick=st.none() | PICK)
    def restore(self, pick: int | None) -> None:
        """Restore all personas from the copy of the table, or one."""
        assert self.copied is not None
        then = self.copied
        if pick is not None and then:
            then = (then[pick % len(then)],)
        one = ["--persona", then[0].id] if pick is not None and then else []
        told = self.premises.run("restore", "--from-table", COPY, *one)
        changed = self.group.restored(then)
        assert told.endswith(f" {len(then) - changed} unchanged.\n"), told
        self.changed = self.changed or changed > 0

    # ---- Upkeep ------------------------------------------------------------------------------------------------------

    @rule(place=PLACE, who=WHO)
    def refresh(self, place: int, who: str) -> None:
        answer = self._calls(place, who, "refresh")
        assert answer.status == 200, answer.text
        due = self.changed or self.damaged
        assert "personas_search" in answer.body["refreshed_views"] or not due, answer.text
        self._was_refreshed()

    @rule(place=PLACE)
    def refresh_by_schedule(self, place: int) -> None:
        self.premises.environments[place].invoke("refresh", schedule())
        records = self.premises.drain()
        if records:
            answer = self.premises.environments[place].invoke("refresh", {"Records": records})
            assert answer == {"batchItemFailures": []}
            self._was_refreshed()
        else:
            assert not self.changed

    @rule(pick=PICK, gone=st.booleans())
    def damage(self, pick: int, gone: bool) -> None:
        """Remove an object of the views, or put something else in its place."""
        objects = sorted(self.premises.objects("views/"))
        if objects:
            key, bucket = objects[-1 - pick % len(objects)], self.premises.aws.names["Bucket"]
            if gone:
                self.aws.s3.delete_object(Bucket=bucket, Key=key)
            else:
                self.aws.s3.put_object(Bucket=bucket, Key=key, Body=b"something else")
            self.group.refreshed = None
            self.damaged = self.damaged or key in self.premises.pointed_to()

    @rule(place=PLACE)
    def new_environment(self, place: int) -> None:
        self.premises.renew(place)

    @rule(time=st.sampled_from(WAITS))
    def wait(self, time: timedelta) -> None:
        self.premises.wait(time)

    @rule(place=PLACE, who=WHO, passed=st.integers(0, 1), time=st.sampled_from(WAITS[:4]))
    def fail_to_read(self, place: int, who: str, passed: int, time: timedelta) -> None:
        """Search while the table refuses the first or the second read."""
        with refusing("Query", after=passed):
            answer = self.premises.call(place, who, "search", remaining_ms=4_000)
        assert (answer.status, "Retry-After" in answer.headers) == (503, True), answer.text
        self.premises.wait(time)

    # ---- What must be so after every step ----------------------------------------------------------------------------

    @invariant()
    def agrees(self) -> None:
        """Compare a part of the callers' answers with the model; every 25th time, all of them."""
        self.premises.record()
        number, self.steps = self.steps, self.steps + 1
        type(self).taken += 1
        self.premises.wait(timedelta(milliseconds=700))
        if number % WHOLE_EVERY == WHOLE_EVERY - 1:
            self._agrees_as_a_whole()
            return
        who = CALLERS[number % 3]
        self.agreement.search(who, self._query(number))
        shown = self.touched or next(iter(self.group.personas), None)
        self.agreement.get(who, shown)
        self.agreement.drafts(who)
        self.touched = None

    def teardown(self) -> None:
        try:
            if sys.exception() is None:
                self._agrees_as_a_whole()
        finally:
            self.premises.close()

    def _agrees_as_a_whole(self) -> None:
        for position, who in enumerate(CALLERS):
            query = self._query(2 * self.steps + 2 * position + 1)
            self.agreement.search(who, Query())
            self.agreement.search(who, query)
            self.agreement.export(who, query if self.steps % 2 else Query())
            self.agreement.drafts(who)
            self.agreement.get(who)
            self.agreement.searched_texts(who, query.text)
            for persona_id in self.group.versions:
                self.agreement.get(who, persona_id)
        for draft in self.group.drafts.values():
            self.agreement.get(draft.owner, None, draft)

    def _query(self, number: int) -> Query:
        """Return one search after the other; every other one is for everything."""
        if number % 2 == 0:
            return Query()
        number //= 2
        group = self.group
        chosen: dict[str, tuple[str, ...]] = {}
        for place, kind in enumerate(("scenarios", "fields", "departments")):
            ids = list(group.library[kind])
            if number % 4 == place:
                chosen[kind] = (ids[number % len(ids)], ids[(number // 4) % len(ids)])
        return Query(
            SEARCHES[number % len(SEARCHES)] if number % 2 else "",
            {k: tuple(dict.fromkeys(v)) for k, v in chosen.items()},
        )

    # ---- Calls -------------------------------------------------------------------------------------------------------

    def _asks(self, who: str, operation: str, body: object) -> Answer:
        """Ask a question in the environment whose turn it is."""
        return self._calls(self.steps % 3 if operation != "search" else self.steps // 3 % 3, who, operation, body)

    def _calls(self, place: int, who: str, operation: str, body: object = None, mcp: bool = False) -> Answer:
        answer = self.premises.call(place, who, operation, body, x_mcp="yes" if mcp else "")
        assert answer.status < 500, answer.text
        return answer

    def _write(
        self, place: int, who: str, operation: str, body: object, wanted: list[bool], mcp: bool = False
    ) -> Answer:
        """Call with several items, of which these must be saved and no others."""
        answer = self._calls(place, who, operation, body, mcp)
        assert [each["success"] for each in _results(answer)] == wanted, (answer.text, body)
        if wanted == [False]:
            assert answer.status in (403, 404, 409, 422), answer.text
        return answer

    # ---- From specifications to requests -----------------------------------------------------------------------------

    def _fields(self, who: str, spec: Spec, persona: Persona | None) -> tuple[dict[str, object], dict[str, Any] | None]:
        """Return what is sent for a specification, and what the persona then is; None where it cannot be saved."""
        group, caller, by_name = self.group, self.group.callers[who], spec["by_name"]
        sent: dict[str, object] = {}
        meant: dict[str, Any] = {}
        fine = True
        for name in ("name", "description", "instructions"):
            if name in spec:
                meant[name] = spec[name] and spec[name].strip()
                known = spec[name] and not by_name and self._usable(who, f"{name.rstrip('s')}s", meant[name])
                sent |= {f"{name}_id": known} if known else {name: spec[name]}
        if "examples" in spec:
            sent["examples"], meant["examples"] = spec["examples"], tuple(spec["examples"])
        if "active" in spec:
            sent["active_flag"] = meant["active"] = spec["active"]
        for kind, name in KIND_OF.items():
            if name in spec:
                (link,) = self._links(kind, [spec[name]])
                named = by_name and group.is_active(kind, link)
                sent |= {name: group.name(kind, link).upper()} if named else {f"{name}_id": link}
                meant[name] = link
        if "voices" in spec:
            links = self._links("voices", spec["voices"])
            named = by_name and all(group.is_active("voices", each) for each in links)
            sent |= {"voices": [group.name("voices", each) for each in links]} if named else {"voice_ids": links}
            meant["voices"] = tuple(links)
        if "departments" in spec:
            departments = self._departments(who, spec["departments"])
            sent |= (
                {"departments": [group.name("departments", each) for each in departments]}
                if by_name
                else {"department_ids": list(departments)}
            )
            meant["departments"] = departments
            fine = caller.may_assign(departments)
        if "parameter_fields" in spec:
            links = self._parameter_fields(spec["parameter_fields"])
            sent["parameter_field_ids"] = links
            meant["parameter_fields"] = tuple(links)
            fine = fine and self._may_link(who, links, persona.parameter_fields if persona else ())
        return sent, meant if fine else None

    def _patch(
        self, who: str, spec: Spec, cleared: list[str], draft: Draft | None = None
    ) -> tuple[dict[str, object], dict[str, Selection] | None]:
        """Do the same for a patch of a draft, some of whose fields are cleared."""
        meant: dict[str, Selection] = {
            f"{name}_id": spec[name] and spec[name].strip()
            for name in ("name", "description", "instructions")
            if name in spec
        }
        if "examples" in spec:
            meant["example_ids"] = tuple(spec["examples"])
        if "active" in spec:
            meant["active_flag_id"] = "active" if spec["active"] else None
        for kind, name in KIND_OF.items():
            if name in spec:
                (meant[f"{name}_id"],) = self._links(kind, [spec[name]])
        if "voices" in spec:
            meant["voice_ids"] = tuple(self._links("voices", spec["voices"]))
        if "departments" in spec:
            meant["department_ids"] = self._departments(who, spec["departments"])
        if "parameter_fields" in spec:
            meant["parameter_field_ids"] = tuple(self._parameter_fields(spec["parameter_fields"]))
        meant |= {name: EMPTY[name] for name in cleared}
        sent: dict[str, object] = {}
        for name, value in meant.items():
            if name == "example_ids":
                sent["examples"] = list(value or ())
            elif name in ("name_id", "description_id", "instructions_id"):
                sent[name.removesuffix("_id")] = value
            else:
                sent["flag_id" if name == "active_flag_id" else name] = self._as_sent(name, value)
        caller, held = self.group.callers[who], draft.fields if draft else {}
        links, held_links = (_several(each.get("parameter_field_ids")) for each in (meant, held))
        departments, held_departments = (_several(each.get("department_ids")) for each in (meant, held))
        own = caller.sees_all or caller.departments.union(held_departments).issuperset(departments)
        return sent, meant if own and self._may_link(who, links, held_links) else None

    def _as_sent(self, name: str, value: Selection) -> object:
        """Return what a form has selected, as ids."""
        if name in SECTION:
            kind = SECTION[name][0]
            if isinstance(value, tuple):
                return [self.group.texts[kind, each] for each in value]
            return self.group.texts[kind, value] if value is not None else None
        if name == "active_flag_id":
            return self.flag if value else None
        return list(value) if isinstance(value, tuple) else value

    def _id_for(self, origin: str, pick: int) -> str | None:
        """Return the id that a new persona is given: none, a new one, that of a deleted one, or one that is taken."""
        gone = [each for each in self.group.versions if each not in self.group.personas]
        match origin:
            case "given":
                return str(uuid4())
            case "back" if gone:
                return gone[pick % len(gone)]
            case "taken" if self.group.personas:
                return list(self.group.personas)[pick % len(self.group.personas)]
        return None

    def _known(self, pick: int) -> str:
        """Return one of all ids that a persona ever had, the later ones more often."""
        known = list(self.group.versions)
        return known[-1 - pick % len(known)]

    def _seen(self, who: str, persona_id: str) -> Persona | None:
        persona = self.group.personas.get(persona_id)
        return persona if persona and self.group.callers[who].sees(persona.departments) else None

    def _draft(self, pick: int) -> Draft:
        drafts = list(self.group.drafts.values())
        return drafts[-1 - pick % len(drafts)]

    def _links(self, kind: str, picks: list[int]) -> list[str]:
        ids = list(self.group.library[kind])
        return list(dict.fromkeys(ids[pick % len(ids)] for pick in picks))

    def _parameter_fields(self, picks: list[int]) -> list[str]:
        ids = list(self.group.links)
        return list(dict.fromkeys(ids[pick % len(ids)] for pick in picks))

    def _departments(self, who: str, which: str) -> tuple[str, ...]:
        own = tuple(sorted(self.group.callers[who].departments))
        care, sales = self.ids["Care"], self.ids["Sales"]
        return {"own": own, "care": (care,), "sales": (sales,), "both": (sales, care), "none": ()}[which]

    def _usable(self, who: str, kind: str, text: str) -> str | None:
        """Return the id of a text that is in use on a persona that the caller sees."""
        in_use = any(text in TEXTS[kind](each) for each in self.group.seen(who))
        return self.group.id_of(kind, text) if in_use else None

    def _may_link(self, who: str, links: Sequence[str], held: Sequence[str]) -> bool:
        """Tell whether the caller may link these parameter fields: those that it is offered or that are there."""
        group = self.group
        return group.callers[who].sees_all or all(
            each in held or group.offered(who, group.links[each]) for each in links
        )

    # ---- What was done -----------------------------------------------------------------------------------------------

    def _moment(self) -> str:
        return self.premises.now.isoformat()

    def _new(self, fields: Mapping[str, Any], persona_id: str, mcp: bool) -> Persona:
        """Return a persona that is about to be created."""
        return self._made(Persona(id=persona_id, version=0, mcp=mcp, **fields))

    def _made(self, persona: Persona) -> Persona:
        self.group.made += 1
        return replace(persona, made=self.group.made, updated_at=self._moment())

    def _stored(self, persona: Persona, version: int) -> None:
        """Take note of what a caller was told is saved."""
        assert version == self.group.next_version(persona.id)
        self.group.put(replace(persona, version=version))
        self.touched, self.changed = persona.id, True

    def _updated(self, persona: Persona, version: int) -> None:
        """Take note of an update: where nothing changes, the version stays that was there."""
        if persona == self.group.personas[persona.id]:
            assert version == persona.version
        else:
            self._stored(replace(persona, updated_at=self._moment()), version)

    def _told_of(self, draft: Draft, answer: Answer) -> None:
        assert (answer.body["draft_id"], answer.body["new_version"]) == (draft.id, draft.version)
        self.group.drafts[draft.id] = draft
        state = answer.body["form_state"]
        for name, (kind, _, _) in SECTION.items():
            texts, ids = draft.fields.get(name) or (), state.get(name) or ()
            for text, text_id in zip(_several(texts), _several(ids), strict=True):
                self.group.learn(kind, text, text_id)
        self.agreement.form_state(draft, state)

    def _was_refreshed(self) -> None:
        self.group.refreshed, self.changed, self.damaged = self.group.snapshot(), False, False

    # ---- Files -------------------------------------------------------------------------------------------------------

    def _import(self, place: int, rows: list[Row]) -> None:
        """Import a file: what it names must be there, and whoever is there already is left alone."""
        group, created, rejected = self.group, [], 0
        for row in rows:
            fields = self._resolved(row.cells)
            if fields is None:
                rejected += 1
            elif row.persona_id not in group.personas:
                created.append((row, fields))
        with TemporaryDirectory(dir=self.folder) as folder:
            path = Path(folder) / "file.csv"
            with path.open("w", encoding="utf-8", newline="") as text:
                writer = csv.writer(text)
                writer.writerow(rows[0].cells)
                writer.writerows([_cell(each) for each in row.cells.values()] for row in rows)
            told = self.premises.on_service(place, "root", "import", str(path), "--lists", "bars").output
        assert f"{len(created)} created, 0 updated, {rejected} rejected." in told, told
        listed = self._calls(place, "root", "search", {"page_size": 100}).body["personas"]
        ids = {each["name"]: each["persona_id"] for each in listed}
        for row, fields in created:
            row.persona_id = row.persona_id or ids[fields["name"]]
            self._stored(self._new(fields, row.persona_id, mcp=False), group.next_version(row.persona_id))

    def _can_be_imported(self, persona: Persona) -> bool:
        """Tell whether root may change it now, and all that it links to can be named."""
        held = {persona.color, persona.icon, *persona.departments, *persona.voices, *persona.parameter_fields}
        fields = self._resolved({**self.group.cells(persona), "active_flag": "true"}, held)
        return fields is not None and self.group.may_edit("root", persona)

    def _resolved(self, cells: Mapping[str, object], held: Collection[str] = ()) -> dict[str, Any] | None:
        """Return the fields of a row of a file; None if it names an entry that cannot be named.

        A withdrawn entry can be named if the persona has it: if it is among ``held``.
        """
        group = self.group

        def named(kind: str, called: Iterable[object]) -> tuple[str, ...]:
            return tuple(group.entry_named(kind, name, held) for name in called)

        try:
            return {
                "name": cells["name"],
                "description": cells["description"] or None,
                "instructions": cells["instructions"],
                "active": cells["active_flag"] == "true",
                "color": group.entry_named("colors", cells["color"], held),
                "icon": group.entry_named("icons", cells["icon"], held),
                "departments": named("departments", cast("list[str]", cells["departments"])),
                "voices": named("voices", cast("list[str]", cells["voices"])),
                "examples": tuple(cast("list[str]", cells["examples"])),
                "parameter_fields": tuple(
                    group.link_named(each, held) for each in cast("list[str]", cells["parameter_fields"])
                ),
            }
        except ValueError:
            return None

    # ---- The command line --------------------------------------------------------------------------------------------

    def _put_profile(self, who: str, personas: frozenset[str]) -> None:
        caller = self.group.callers.get(who) or Caller(who, "instructional")
        words = [
            *(word for each in sorted(caller.departments) for word in ("--department", each)),
            *(word for each in sorted(personas) for word in ("--persona", each)),
        ]
        self.premises.run("profile", "put", "--name", who, "--role", caller.role, *words)
        self.changed = self.changed or personas != self.group.profiles.get(who, frozenset())
        self.group.profiles[who] = personas

    def _issue(self, who: str) -> str:
        return self.premises.run("key", "issue", "--profile", who).strip()

    def _load(self, changes: Mapping[str, Mapping[str, Entry]], casts: Mapping[str, set[str]] | None = None) -> None:
        """Load a library file that has the changed entries, and these casts."""
        group, casts = self.group, casts or {}
        for kind, entries in changes.items():
            group.library[kind] |= entries
        file: dict[str, list[Entry]] = {
            kind: [_in_file(kind, entry_id, group.library[kind][entry_id]) for entry_id in entries]
            for kind, entries in changes.items()
            if kind not in ("fields", "parameters", "scenarios")
        }
        fields = changes.get("fields", {})
        parameters = dict.fromkeys([*changes.get("parameters", ()), *(str(each["of"]) for each in fields.values())])
        file["parameters"] = [
            {
                **_in_file("parameters", parameter_id, group.library["parameters"][parameter_id]),
                "fields": [
                    _in_file("fields", field_id, entry)
                    for field_id, entry in fields.items()
                    if entry["of"] == parameter_id
                ],
            }
            for parameter_id in parameters
        ]
        file["scenarios"] = [
            {**_in_file("scenarios", each, entry), **({"personas": sorted(casts[each])} if each in casts else {})}
            for each, entry in changes.get("scenarios", {}).items()
        ]
        self.premises.run("library", "load", "-", typed=file)
        for persona in list(group.personas.values()):
            kept = [each for each in persona.scenarios if each not in casts or persona.id in casts[each]]
            joined = [each for each, cast_ids in casts.items() if persona.id in cast_ids]
            scenarios = tuple(dict.fromkeys([*kept, *joined]))
            if scenarios != persona.scenarios:
                group.personas[persona.id] = replace(persona, scenarios=scenarios)
                self.changed = self.changed or scenarios != persona.scenarios

    def _learn_links(self) -> None:
        """Ask for the ids of parameter fields and of the flag, which nobody can compute."""
        body = self._calls(0, "root", "get").body
        for each in body["parameter_fields"]["resources"]:
            self.group.links[each["id"]] = Link(each["parameter_id"], each["field_id"])
        self.flag = str(body["flags"]["resources"][0]["flag_option_id"])


_NEEDED: Final[Spec] = {"name": NAMES[0], "instructions": INSTRUCTIONS[0], "color": 0, "icon": 0}


def _form(persona: Persona) -> tuple[object, ...]:
    """Return the fields that a version has."""
    return tuple(getattr(persona, name) for name in FORM)


def _entry(kind: str, name: str, group: Group) -> Entry:
    """Return a new entry of a library."""
    entry: Entry = {"name": name, "active": True}
    match kind:
        case "colors":
            entry["hex_code"] = "#16818A"
        case "icons":
            entry["value"] = f"the-{name.lower().replace(' ', '-')}"
        case "parameters":
            entry["departments"] = []
        case "fields":
            entry |= {"departments": [], "of": next(iter(group.library["parameters"]))}
    return entry


def _in_file(kind: str, entry_id: str, entry: Entry) -> Entry:
    """Return an entry as a library file has it."""
    written = {name: value for name, value in entry.items() if name != "of"} | {"id": entry_id}
    if kind == "voices":
        written["voice"] = written.pop("name")
    return written


def _persona_fields(form: Mapping[str, Selection]) -> dict[str, Any]:
    """Return what a form has selected, as the fields of a persona."""
    return {
        "name": form["name_id"],
        "description": form["description_id"],
        "instructions": form["instructions_id"],
        "color": form["color_id"],
        "icon": form["icon_id"],
        "active": form["active_flag_id"] is not None,
        "departments": form["department_ids"],
        "parameter_fields": form["parameter_field_ids"],
        "examples": form["example_ids"],
        "voices": form["voice_ids"],
    }


def _cell(value: object) -> str:
    return escape(join_list(value) if isinstance(value, list) else str(value))


def _several(selection: Any) -> Sequence[str]:
    return [selection] if isinstance(selection, str) else selection or ()


def _results(answer: Answer) -> list[dict[str, Any]]:
    return list(answer.body["results"])


# ---- The walks -------------------------------------------------------------------------------------------------------


@pytest.fixture
def walks(aws: Aws, iam: Guard, table_definitions: Mapping[str, TableRequest], tmp_path: Path) -> type[Walks]:
    """Provide the machine, on tables of its own."""
    attributes = {"aws": aws, "guard": iam, "definitions": table_definitions, "folder": tmp_path}
    return type("Walks", (Walks,), attributes)


@pytest.mark.parametrize("half", [0, 1])
def test_callers_are_shown_what_was_done(walks: type[Walks], half: int) -> None:
    wanted, part = STEPS // 2, 0
    while walks.taken < wanted:
        run_state_machine_as_test(
            seed(SEED * 1_000_000 + part * 2 + half)(walks),
            settings=settings(
                max_examples=min(100, wanted // LENGTH + 2),
                stateful_step_count=LENGTH,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
                phases=[Phase.generate, Phase.shrink],
                report_multiple_bugs=False,
                print_blob=True,
            ),
        )
        part += 1
