"""Comparison of the answers that callers get with the model: search with its counts, get, export and drafts."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from support.client import Answer
from support.exported import cells, values
from support.form import LISTED
from support.model import EMPTY, FACETS, FORMULA, TEXTS, Draft, Group, Query, Selection, fold

SECTION: Final = {
    "name_id": ("names", "id", "name"),
    "description_id": ("descriptions", "id", "description"),
    "instructions_id": ("instructions", "id", "template"),
    "example_ids": ("examples", "id", "example"),
}
"""Places of the texts of a form: the section, which is the kind of text too, and the fields of id and text."""
LINKS: Final = {
    "color_id": ("colors", "id"),
    "icon_id": ("icons", "id"),
    "department_ids": ("departments", "department_id"),
    "parameter_field_ids": ("parameter_fields", "id"),
    "voice_ids": ("voices", "id"),
}


def same(what: str, told: object, wanted: object) -> None:
    """Assert that what was told is what the model has."""
    assert told == wanted, f"{what}:\n  told   {told!r}\n  wanted {wanted!r}"


@dataclass
class Agreement:
    """A caller that compares answers with the model. ``stored`` returns the file behind the answer of an export."""

    group: Group
    call: Callable[..., Answer]
    stored: Callable[[Answer], bytes]
    now: Callable[[], datetime]

    # ---- search ------------------------------------------------------------------------------------------------------

    def search(self, who: str, query: Query) -> None:
        """Compare one search with the model: its rows, its total, and the counts of every filter."""
        group, body = self.group, self._ok(who, "search", {**query.body, "page_size": 100})
        wanted = group.found(who, query)
        assert body["actor_name"] == group.callers[who].name
        same("ids", [each["persona_id"] for each in body["personas"]], [each.id for each in wanted])
        for row, each in zip(body["personas"], wanted, strict=True):
            same("row", self._row(row), _as_far_as_known(group.row(who, each)))
        same("total", body["total_count"], len(wanted))
        for facet in FACETS:
            section = body[f"{facet.removesuffix('s')}_filter"]
            selected = query.chosen.get(facet, ())
            assert section["selected_ids"] == list(selected)
            self._options(who, query, facet, section["options"], selected)

    def _row(self, row: Mapping[str, Any]) -> dict[str, object]:
        return _as_far_as_known(
            {
                **row,
                "scenario_ids": sorted(row["scenario_ids"]),
                "updated_at": row["updated_at"] if self._is_known(row["persona_id"]) else None,
            }
        )

    def _is_known(self, persona_id: str) -> bool:
        persona = self.group.personas.get(persona_id)
        return persona is not None and persona.updated_at is not None

    def _options(
        self, who: str, query: Query, facet: str, options: list[dict[str, Any]], selected: tuple[str, ...]
    ) -> None:
        group = self.group
        counts = group.counts(who, query, facet)
        known = group.rest(who, facet).union(each for each in selected if group.knows(who, facet, each))
        counts |= dict.fromkeys(known - counts.keys(), 0)
        wanted = {option: (group.called(facet, option), count) for option, count in counts.items()}
        if facet == "instructions":
            by_name = {group.called(facet, text): text for text in counts}
            for each in options:
                group.learn("instructions", by_name[each["name"]], each["id"])
            wanted = {str(group.id_of("instructions", text)): told for text, told in wanted.items()}
        told = {each["id"]: (each["name"], each["count"]) for each in options}
        same(facet, told, wanted)
        order = [(-each["count"], fold(each["name"])) for each in options]
        same(facet, order, sorted(order))

    # ---- get ---------------------------------------------------------------------------------------------------------

    def get(self, who: str, persona_id: str | None = None, draft: Draft | None = None) -> None:
        """Compare one form with the model: the selected ids, the permitted actions, and the other options."""
        group = self.group
        asked = {"persona_id": persona_id, "draft_id": draft.id if draft else None}
        persona = group.personas.get(persona_id) if persona_id else None
        answer = self.call(who, "get", asked)
        if persona_id and (persona is None or not group.callers[who].sees(persona.departments)):
            assert answer.status == 404, answer.text
            return
        if draft and (draft.owner != who or not group.lives(draft, self.now())):
            assert answer.status == 404, answer.text
            return
        assert answer.status == 200, answer.text
        body = answer.body
        can_edit = persona is None or group.may_edit(who, persona)
        same("exists", body["persona_exists"], persona is not None)
        same("may edit", (body["can_edit"], bool(body["disabled_reason"])), (can_edit, not can_edit))
        same("version", body["version"], persona.version if persona else None)
        same("draft version", body["draft_version"], draft.version if draft else None)
        form = group.form(persona, draft)
        for name, (section, id_field, text_field) in SECTION.items():
            self._texts(who, section, body[section], form[name], id_field, text_field)
        for name, (section, id_field) in LINKS.items():
            self._links(who, section, body[section], form[name], id_field)
        assert (body["flags"]["current"] is not None) is (form["active_flag_id"] is not None)

    def _texts(
        self, who: str, kind: str, section: Mapping[str, Any], selected: Selection, id_field: str, text_field: str
    ) -> None:
        group = self.group
        current = _current(section)
        same(kind, [each[text_field] for each in current], list(_several(selected)))
        for each in [*current, *section["resources"]]:
            group.learn(kind, each[text_field], each[id_field])
        if group.refreshed is None:
            return
        offered = group.offered_texts(who, kind)
        same(f"{kind} offered", {each[text_field] for each in section["resources"]}, offered | set(_several(selected)))
        most_used = {group.id_of(kind, each) for each in offered}
        assert most_used.issuperset(section["suggestions"]), (kind, section["suggestions"])

    def _links(self, who: str, kind: str, section: Mapping[str, Any], selected: Selection, id_field: str) -> None:
        same(kind, [each[id_field] for each in _current(section)], list(_several(selected)))
        offered = {each[id_field] for each in section["resources"]}
        group = self.group
        if kind == "parameter_fields":
            for each in section["resources"]:
                assert group.links[each["id"]] == (each["parameter_id"], each["field_id"])
            wanted = {link_id for link_id, link in group.links.items() if group.offered(who, link)}
        elif kind == "departments":
            own = group.callers[who]
            wanted = {each for each in group.library[kind] if own.sees_all or each in own.departments}
            wanted = {each for each in wanted if group.is_active(kind, each)}
        else:
            wanted = {each for each in group.library[kind] if group.is_active(kind, each)}
        same(f"{kind} offered", offered, wanted | set(_several(selected)))

    def searched_texts(self, who: str, text: str) -> None:
        """Compare a search for descriptions and instructions: it offers all that the caller may see, as it is now."""
        if not text:
            return
        body = self._ok(who, "get", {"descriptions_search": text, "instructions_search": text})
        for kind, text_field in (("descriptions", "description"), ("instructions", "template")):
            told = {each[text_field] for each in body[kind]["resources"]}
            texts = {each for persona in self.group.seen(who) for each in TEXTS[kind](persona)}
            same(f"{kind} searched", told, {each for each in texts if fold(text) in fold(each)})

    # ---- drafts ------------------------------------------------------------------------------------------------------

    def drafts(self, who: str) -> None:
        """Compare a caller's list of drafts with the model."""
        wanted = self.group.drafts_of(who, self.now())
        entries = self._ok(who, "drafts", {})["entries"]
        same(
            "drafts", [(each["id"], each["version"]) for each in entries], [(each.id, each.version) for each in wanted]
        )
        for draft, entry in zip(wanted, entries, strict=True):
            assert datetime.fromisoformat(entry["created_at"]) == draft.created_at
            for name in EMPTY:
                told = entry[LISTED[name]]
                same(name, self._as_selected(name, told), _several(draft.fields.get(name)))

    def form_state(self, draft: Draft, state: Mapping[str, Any]) -> None:
        """Compare what a draft's answer says that is selected in it."""
        for name, value in EMPTY.items():
            if isinstance(value, tuple) and name not in draft.fields:
                assert name not in state, name
                continue
            told = state[name]
            ids = told if isinstance(told, list) else [told] if told else []
            same(name, self._as_selected(name, ids), _several(draft.fields.get(name)))

    def _as_selected(self, name: str, ids: Iterable[str]) -> tuple[str | None, ...]:
        """Return ids as the model has them: texts by their texts, the flag by its key."""
        if name == "active_flag_id":
            return tuple("active" for _ in ids)
        if name not in SECTION:
            return tuple(ids)
        kind = SECTION[name][0]
        texts = {text_id: text for (of_kind, text), text_id in self.group.texts.items() if of_kind == kind}
        return tuple(texts.get(each) for each in ids)

    # ---- export ------------------------------------------------------------------------------------------------------

    def export(self, who: str, query: Query) -> None:
        """Compare an exported file with a search of the model; no cell may hold a formula for a spreadsheet to run."""
        answer = self.call(who, "export", query.body)
        assert answer.status == 200, answer.text
        rows = cells(self.stored(answer))
        wanted = {each.id: self.group.cells(each) for each in self.group.found(who, query)}
        same("rows", (answer.body["row_count"], len(rows)), (len(wanted), len(wanted)))
        for row in rows:
            assert not any(FORMULA.match(cell) for cell in row.values()), row
            told = {"persona_id": row["persona_id"], **values(row)}
            of_persona = wanted[row["persona_id"]]
            same("cells", told, {name: of_persona[name] for name in told})

    def _ok(self, who: str, operation: str, body: object) -> dict[str, Any]:
        answer = self.call(who, operation, body)
        assert answer.status == 200, answer.text
        return answer.body


def _several(selection: Selection) -> tuple[str, ...]:
    if isinstance(selection, tuple):
        return selection
    return () if selection is None else (selection,)


def _current(section: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what a section has selected, whichever of the two shapes it has."""
    if "current" in section:
        return list(section["current"])
    return [section["resource"]] if section["resource"] else []


def _as_far_as_known(row: Mapping[str, object]) -> dict[str, object]:
    """Return a row with its time of change parsed, since the contract leaves open how a time is written."""
    moment = row["updated_at"]
    return {**row, "updated_at": datetime.fromisoformat(str(moment)) if moment else None}
