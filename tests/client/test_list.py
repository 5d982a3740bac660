"""A list with filters beside it: their options are given to personas, counted and filtered by."""

from collections import Counter
from collections.abc import Mapping
from itertools import count
from typing import Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from support.web_client import Service, Values, read

SINGLE: Final[Mapping[str, str]] = {"color": "color_id", "icon": "icon_id"}
SEVERAL: Final[Mapping[str, str]] = {
    "voice": "voice_ids",
    "department": "department_ids",
    "field": "parameter_field_ids",
}
"""The filters that a bulk edit takes its choices from, and what an update calls them."""
FILTERED_BY: Final[Mapping[str, str]] = {"department": "filter_department_ids", "field": "field_ids"}


class Listing(RuleBasedStateMachine):
    """Somebody who keeps a list of personas, and knows of options only what the filters say."""

    service: Service
    mark: str
    runs = count()

    def __init__(self) -> None:
        super().__init__()
        self.word = f"{self.mark} run {next(self.runs)};"
        self.rows: dict[str, dict[str, tuple[str, ...]]] = {}
        """The options that each persona has, by filter."""

    @rule(many=st.integers(1, 6), data=st.data())
    def create(self, many: int, data: st.DataObject) -> None:
        listed = self._listed()
        chosen = {name: data.draw(st.sampled_from(self._options(listed, name))) for name in SINGLE}
        item = {SINGLE[name]: each for name, each in chosen.items()}
        items = [{"name": f"{self.word} {number}", "instructions": "Be brief.", **item} for number in range(many)]
        for result in read(self.service, "create", {"personas": items})["results"]:
            assert result["success"], result["message"]
            self.rows[result["persona_id"]] = {
                **{name: (each,) for name, each in chosen.items()},
                **dict.fromkeys(SEVERAL, ()),
            }

    @rule(name=st.sampled_from(sorted(SINGLE)), data=st.data())
    @precondition(lambda self: self.rows)
    def give_one(self, name: str, data: st.DataObject) -> None:
        option = data.draw(st.sampled_from(self._options(self._listed(), name)))
        self._update(data, name, SINGLE[name], option, (option,))

    @rule(name=st.sampled_from(sorted(SEVERAL)), data=st.data())
    @precondition(lambda self: self.rows)
    def give_several(self, name: str, data: st.DataObject) -> None:
        options = st.lists(st.sampled_from(self._options(self._listed(), name)), unique=True, max_size=3)
        chosen = data.draw(options)
        self._update(data, name, SEVERAL[name], chosen, tuple(chosen))

    @rule(name=st.sampled_from(sorted(FILTERED_BY)), data=st.data())
    def filter(self, name: str, data: st.DataObject) -> None:
        option = data.draw(st.sampled_from(self._listed()[f"{name}_filter"]["options"]))
        found = self._listed(**{FILTERED_BY[name]: [option["id"]]})
        assert found["total_count"] == option["count"]
        wanted = {each for each, row in self.rows.items() if option["id"] in row[name]}
        assert {row["persona_id"] for row in found["personas"]} == wanted

    @rule(data=st.data())
    @precondition(lambda self: self.rows)
    def copy(self, data: st.DataObject) -> None:
        source = data.draw(st.sampled_from(sorted(self.rows)))
        copied = read(self.service, "duplicate", {"persona_id": source})
        self.rows[copied["persona_id"]] = dict(self.rows[source])

    @rule(data=st.data())
    @precondition(lambda self: self.rows)
    def delete(self, data: st.DataObject) -> None:
        chosen = self._some(data)
        results = read(self.service, "delete", {"persona_ids": chosen})["results"]
        assert [(each["success"], each["persona_id"]) for each in results] == [(True, each) for each in chosen]
        for each in chosen:
            del self.rows[each]

    @rule()
    def look(self) -> None:
        listed = self._listed()
        assert listed["total_count"] == len(self.rows)
        assert {row["persona_id"] for row in listed["personas"]} == self.rows.keys()
        for name in (*SINGLE, *SEVERAL):
            counts = Counter(each for row in self.rows.values() for each in row[name])
            options = listed[f"{name}_filter"]["options"]
            assert {each["id"]: each["count"] for each in options if each["count"]} == counts
            assert [each["count"] for each in options] == sorted((each["count"] for each in options), reverse=True)

    def _listed(self, **more: object) -> Values:
        return read(self.service, "search", {"search": self.word, "page_size": "100", **more})

    @staticmethod
    def _options(listed: Values, name: str) -> list[str]:
        return [each["id"] for each in listed[f"{name}_filter"]["options"]]

    def _some(self, data: st.DataObject) -> list[str]:
        return data.draw(st.lists(st.sampled_from(sorted(self.rows)), unique=True, min_size=1, max_size=20))

    def _update(self, data: st.DataObject, name: str, key: str, sent: object, meant: tuple[str, ...]) -> None:
        chosen = self._some(data)
        edits = [{"persona_id": each, key: sent} for each in chosen]
        results = read(self.service, "update", {"personas": edits})["results"]
        assert [each["message"] for each in results if not each["success"]] == []
        for each in chosen:
            self.rows[each][name] = meant


@pytest.fixture
def machine(service: Service, mark: str) -> type[Listing]:
    """Make the machine over a service."""

    class Bound(Listing):
        pass

    Bound.service, Bound.mark = service, mark
    return Bound


def test_a_list_is_what_was_given_to_its_personas(machine: type[Listing], play: settings) -> None:
    run_state_machine_as_test(machine, settings=play)
