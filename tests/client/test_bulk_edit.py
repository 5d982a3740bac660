"""A bulk edit: personas are chosen from a list, and what to give them from the filters beside it."""

from typing import Any, Final

from support.web_client import LISTS, Service, Values, read, shown_in

TWENTY: Final = 20


def twenty(service: Service, mark: str) -> list[str]:
    """Create twenty personas that are alike; return their ids."""
    form = read(service, "get", {})
    color, icon = (form[section]["resources"][0]["id"] for section in ("colors", "icons"))
    items = [
        {"name": f"{mark} {number}", "color_id": color, "icon_id": icon, "instructions": "Be brief."}
        for number in range(TWENTY)
    ]
    results = read(service, "create", {"personas": items})["results"]
    return [each["persona_id"] for each in results]


def search(service: Service, mark: str, **more: object) -> Values:
    """Return the list of this test's personas, with the filters beside it."""
    return read(service, "search", {"search": mark, "page_size": "50", "page_offset": "0", **more})


def options(listed: Values, of: str) -> list[Values]:
    """Return the options of a filter, in its order."""
    found: list[dict[str, Any]] = listed[f"{of}_filter"]["options"]
    return found


def test_a_color_that_nobody_has_is_given_to_twenty(service: Service, mark: str) -> None:
    # Given a list of twenty personas, and in the filter beside it a color that none of them has
    ids = twenty(service, mark)
    unused = next(each for each in reversed(options(search(service, mark), "color")) if each["count"] == 0)

    # When all of them get it in one call
    edits = [{"persona_id": each, "color_id": unused["id"]} for each in ids]
    results = read(service, "update", {"personas": edits})["results"]

    # Then each has its result, the list shows it, and the filter counts it first
    assert [(each["success"], each["persona_id"]) for each in results] == [(True, each) for each in ids]
    listed = search(service, mark)
    assert {each["color"] for each in listed["personas"]} == {unused["hex_code"]}
    assert options(listed, "color")[0] == {**unused, "count": TWENTY}


def test_every_picker_has_what_the_form_has(service: Service, mark: str) -> None:
    form, listed = read(service, "get", {}), search(service, mark)

    for filter_name, section in (("color", "colors"), ("icon", "icons"), ("voice", "voices")):
        assert {each["id"] for each in form[section]["resources"]} <= {
            each["id"] for each in options(listed, filter_name)
        }
    departments = {each["department_id"] for each in form["departments"]["resources"]}
    assert departments <= {each["id"] for each in options(listed, "department")}
    fields = {each["field_id"] for each in form["parameter_fields"]["resources"]}
    assert fields <= {each["id"] for each in options(listed, "field")}


def test_departments_fields_and_voices_are_given_by_the_ids_of_the_filters(service: Service, mark: str) -> None:
    # Given twenty personas, and the last option of each filter of a list
    ids = twenty(service, mark)
    listed = search(service, mark)
    filters = {"department_ids": "department", "parameter_field_ids": "field", "voice_ids": "voice"}
    picked = {name: options(listed, of)[-1]["id"] for name, of in filters.items()}

    # When all of them get all three in one call
    edits = [{"persona_id": each, **{name: [picked[name]] for name in LISTS}} for each in ids]
    results = read(service, "update", {"personas": edits})["results"]

    # Then each has them, a field as the parameter field that links it
    assert [each["message"] for each in results if not each["success"]] == []
    rows = search(service, mark)["personas"]
    assert {tuple(row["department_ids"]) for row in rows} == {(picked["department_ids"],)}
    assert {tuple(row["field_ids"]) for row in rows} == {(picked["parameter_field_ids"],)}
    shown = shown_in(read(service, "get", {"persona_id": ids[0]}))
    assert shown["voice_ids"] == [picked["voice_ids"]]


def test_an_edit_that_none_takes_is_told_row_by_row(service: Service, mark: str) -> None:
    ids = twenty(service, mark)[:3]
    edits = [{"persona_id": each, "color": "A color that nobody has"} for each in ids]

    results = read(service, "update", {"personas": edits})["results"]

    assert [(each["success"], each["persona_id"]) for each in results] == [(False, each) for each in ids]
    assert {error["field"] for each in results for error in each["errors"]} == {"color"}


def test_what_is_chosen_is_deleted_in_one_call(service: Service, mark: str) -> None:
    ids = twenty(service, mark)

    results = read(service, "delete", {"persona_ids": ids})["results"]

    assert [(each["success"], each["persona_id"]) for each in results] == [(True, each) for each in ids]
    assert search(service, mark)["total_count"] == 0
