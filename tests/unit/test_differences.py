"""The differences of two forms."""

from time import perf_counter

import pytest

from personas.contract.compare import FieldDifference
from personas.domain.differences import differences
from personas.domain.persona import Form
from personas.domain.text import Text
from support.world import ALTO, BASS, CARE, HEART, PLUM, SALES, STAR, TEAL, catalogue_of

CATALOGUE = catalogue_of()
SIDES = ("version 3", "version 5")


def text(words: str) -> Text:
    return Text(f"id of {words}", words)


def form(**fields: object) -> Form:
    given = {"name": text("Ada"), "instructions": text("Ask."), "color_id": TEAL, "icon_id": STAR}
    return Form.of({**given, **fields})


def only_difference(before: Form, after: Form) -> FieldDifference:
    (found,) = differences(before, after, CATALOGUE, SIDES)
    return found


def test_equal_forms_differ_in_nothing() -> None:
    assert differences(form(), form(), CATALOGUE, SIDES) == []


def test_a_single_entry_has_its_two_values_alone() -> None:
    found = only_difference(form(), form(color_id=PLUM))

    assert found.model_dump(by_alias=True) == {
        "field": "color",
        "from": {"id": TEAL, "name": "Teal"},
        "to": {"id": PLUM, "name": "Plum"},
        "added": None,
        "removed": None,
        "diff": None,
    }


def test_a_list_says_what_came_and_what_went() -> None:
    found = only_difference(form(voice_ids=(ALTO,)), form(voice_ids=(BASS,)))

    told = found.model_dump(by_alias=True)
    assert (told["added"], told["removed"]) == ([{"id": BASS, "name": "Bass"}], [{"id": ALTO, "name": "Alto"}])


def test_another_order_is_a_difference_with_nothing_added() -> None:
    found = only_difference(form(department_ids=(CARE, SALES)), form(department_ids=(SALES, CARE)))

    assert (found.field, found.added, found.removed) == ("departments", [], [])


def test_a_text_has_a_unified_diff() -> None:
    found = only_difference(
        form(instructions=text("Ask.\nListen.\nAnswer.")), form(instructions=text("Ask.\nWait.\nAnswer."))
    )

    assert found.diff == [
        "--- version 3",
        "+++ version 5",
        "@@ -1,3 +1,3 @@",
        " Ask.",
        "-Listen.",
        "+Wait.",
        " Answer.",
    ]


def test_a_text_that_was_not_there_is_added() -> None:
    found = only_difference(form(), form(description=text("A nurse.")))

    assert (found.from_, found.diff) == (None, ["--- version 3", "+++ version 5", "@@ -0,0 +1 @@", "+A nurse."])


def test_another_sort_of_line_break_is_seen() -> None:
    found = only_difference(form(instructions=text("a\r\nb")), form(instructions=text("a\nb")))

    assert found.diff is not None
    assert found.diff[3:] == ["-a\r", "+a", " b"]


def test_fields_come_in_the_order_of_the_form() -> None:
    after = form(icon_id=HEART, name=text("Bo"), examples=(text("Hm."),))

    assert [each.field for each in differences(form(), after, CATALOGUE, SIDES)] == ["name", "icon", "examples"]


@pytest.mark.parametrize(("before", "after"), [(2_001, 1), (1, 2_001)])
def test_of_very_many_lines_all_are_replaced(before: int, after: int) -> None:
    found = only_difference(
        form(instructions=text("\n".join(["Ask."] * before))), form(instructions=text("\n".join(["Wait."] * after)))
    )

    assert found.diff == [
        "--- version 3",
        "+++ version 5",
        f"@@ -1,{before} +1,{after} @@",
        *["-Ask."] * before,
        *["+Wait."] * after,
    ]


def test_of_as_many_lines_as_are_compared_those_that_differ_are_replaced() -> None:
    same = ["Ask."] * (1_999)

    found = only_difference(
        form(instructions=text("\n".join([*same, "Answer."]))), form(instructions=text("\n".join([*same, "Wait."])))
    )

    assert found.diff is not None
    assert found.diff[3:] == [" Ask.", " Ask.", " Ask.", "-Answer.", "+Wait."]


@pytest.mark.parametrize("lines", [2_000, 2_001, 16_000])
def test_no_text_takes_long(lines: int) -> None:
    # Each line a hundredth of all, every second one another: difflib's worst case.
    before = [chr(0x100 + number % 101) for number in range(lines)]
    after = [line if number % 2 else f"{number}" for number, line in enumerate(before)]
    began = perf_counter()

    found = only_difference(form(instructions=text("\n".join(before))), form(instructions=text("\n".join(after))))

    assert perf_counter() - began < 5
    assert found.diff is not None
    assert [line[1:] for line in found.diff[2:] if line[0] in " -"] == before
    assert [line[1:] for line in found.diff[2:] if line[0] in " +"] == after
