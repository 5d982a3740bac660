"""Forms that save at every keystroke: one tab, two tabs, a new persona and one that is there already."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from unicodedata import normalize

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from support.web_client import CHOICES, LISTS, TEXTS, Service, Tab, Values, read, shown_in

OFFERED_MAX: Final = 5
KEYS: Final = "aé😀e\u0301, .\n"
"""The keys that are typed: letters, some of several code points, and what is trimmed at the end of a text."""


def kept(text: str) -> str:
    """Return a text as the service keeps it."""
    return normalize("NFC", text.strip())


class Editing(RuleBasedStateMachine):
    """Somebody who edits one persona in two tabs."""

    service: Service
    mark: str
    offered: Mapping[str, Sequence[str]]

    def __init__(self) -> None:
        super().__init__()
        self.expected: Values = {}
        """The values that the form shows wherever it is loaded."""
        self.tabs: list[Tab] = []

    # ---- What can happen ---------------------------------------------------------------------------------------------

    @initialize(data=st.data(), exists=st.booleans())
    def open_it(self, data: st.DataObject, exists: bool) -> None:
        persona_id = self._existing(data) if exists else None
        first = Tab(self.service, persona_id).open()
        self.expected = dict(first.shown)
        # The first keystroke makes the draft; the second tab finds it by its id, as it stands in the address.
        self._change(first, "name", f"{self.mark} Ada")
        second = Tab(self.service, persona_id, first.draft_id).open()
        self.tabs = [first, second]

    @rule(tab=st.integers(0, 1), name=st.sampled_from(sorted(TEXTS)), key=st.sampled_from(sorted(KEYS)))
    def type(self, tab: int, name: str, key: str) -> None:
        self._write(tab, name, self.tabs[tab].shown[name] + key)

    @rule(tab=st.integers(0, 1), name=st.sampled_from(["description", "instructions"]))
    def empty(self, tab: int, name: str) -> None:
        self._write(tab, name, "")

    @rule(tab=st.integers(0, 1), name=st.sampled_from(sorted(CHOICES)), data=st.data())
    def choose(self, tab: int, name: str, data: st.DataObject) -> None:
        self._write(tab, name, data.draw(st.none() | st.sampled_from(self.offered[name])))

    @rule(tab=st.integers(0, 1), name=st.sampled_from(sorted(LISTS)), data=st.data())
    def pick(self, tab: int, name: str, data: st.DataObject) -> None:
        self._write(tab, name, data.draw(st.lists(st.sampled_from(self.offered[name]), unique=True)))

    @rule(tab=st.integers(0, 1))
    def switch(self, tab: int) -> None:
        self._write(tab, "active", not self.tabs[tab].shown["active"])

    @rule(tab=st.integers(0, 1), rows=st.lists(st.sampled_from(["", "Hello.", "Yes, please.", " Why? "]), unique=True))
    def write_examples(self, tab: int, rows: list[str]) -> None:
        # A row that was only just added is still empty.
        self._write(tab, "examples", rows)

    @rule(tab=st.integers(0, 1))
    def reload(self, tab: int) -> None:
        self.tabs[tab].open()
        self._shows(self.tabs[tab], self.expected)

    @rule(tab=st.integers(0, 1))
    @precondition(lambda self: all(self.expected[name] for name in CHOICES))
    def publish(self, tab: int) -> None:
        self.tabs[tab].open()
        self.tabs[tab].publish()
        for each in self.tabs:
            each.persona_id = self.tabs[tab].persona_id
        persona = read(self.service, "get", {"persona_id": self.tabs[tab].persona_id})
        assert shown_in(persona) == self.expected

    # ---- What must then be so ----------------------------------------------------------------------------------------

    def _write(self, tab: int, name: str, value: Any) -> None:
        stale = self.tabs[tab].version < self.tabs[1 - tab].version
        conflicts = self._change(self.tabs[tab], name, value)
        # A tab that has not seen the last save gets a conflict, and no other does.
        assert conflicts == int(stale)

    def _change(self, tab: Tab, name: str, value: Any) -> int:
        conflicts = tab.change(name, value)
        self.expected[name] = value
        if name in TEXTS:
            self.expected[name] = kept(value)
        if name == "examples":
            self.expected[name] = list(dict.fromkeys(kept(row) for row in value if kept(row)))
        self._shows(tab, self.expected)
        return conflicts

    @staticmethod
    def _shows(tab: Tab, expected: Values) -> None:
        """Compare the screen with what is kept, but for what the service trims and drops."""
        shown = dict(tab.shown)
        shown |= {name: kept(shown[name]) for name in TEXTS}
        shown["examples"] = list(dict.fromkeys(kept(row) for row in shown["examples"] if kept(row)))
        assert shown == expected

    def _existing(self, data: st.DataObject) -> str:
        item = {
            "name": f"{self.mark} Bea",
            "description": "Is there already.",
            "instructions": "Be brief.",
            "active_flag": True,
            "examples": ["Good morning.", "Well, well."],
            **{name: self.offered[name][0] for name in CHOICES},
            **{name: list(self.offered[name][:2]) for name in LISTS},
        }
        (result,) = read(self.service, "create", {"personas": [item]})["results"]
        return str(result["persona_id"])


@pytest.fixture
def machine(service: Service, mark: str) -> type[Editing]:
    """Make the machine over a service, with the first options that its form offers."""
    form = read(service, "get", {})
    offers = {name: [each["id"] for each in form[section]["resources"]] for name, section in CHOICES.items()}
    offers |= {name: [each[key] for each in form[section]["resources"]] for name, (section, key) in LISTS.items()}

    class Bound(Editing):
        pass

    Bound.service, Bound.mark = service, mark
    Bound.offered = {name: ids[:OFFERED_MAX] for name, ids in offers.items()}
    return Bound


def test_a_form_in_two_tabs_shows_what_was_typed(machine: type[Editing], play: settings) -> None:
    run_state_machine_as_test(machine, settings=play)


def test_autosaves_of_one_field_leave_the_lists_on_the_screen(service: Service, mark: str) -> None:
    # Given a persona with entries in every list
    form = read(service, "get", {})
    lists = {name: [each[key] for each in form[section]["resources"][:2]] for name, (section, key) in LISTS.items()}
    item = {
        "name": f"{mark} Ada",
        "instructions": "Be brief.",
        "examples": ["Good morning."],
        "color_id": form["colors"]["resources"][0]["id"],
        "icon_id": form["icons"]["resources"][0]["id"],
        **lists,
    }
    (made,) = read(service, "create", {"personas": [item]})["results"]
    tab = Tab(service, made["persona_id"]).open()

    # When its description is typed key by key, the page is loaded again, and more is typed
    for length in range(1, 4):
        tab.change("description", "Hm."[:length])
    tab.open()
    tab.change("description", "Hm. Hm.")

    # Then the lists are still shown, and stay when what is shown is saved
    assert {name: tab.shown[name] for name in LISTS} == lists
    assert tab.shown["examples"] == ["Good morning."]
    tab.publish()
    saved = shown_in(read(service, "get", {"persona_id": made["persona_id"]}))
    assert saved == {**tab.shown, "description": "Hm. Hm."}
