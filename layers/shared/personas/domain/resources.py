"""The entries of a catalogue as answers show them; all but fields are in the order of options."""

from collections.abc import Mapping
from typing import cast

from personas.contract import resources as wire
from personas.contract.base import WireModel
from personas.domain.catalogue import Catalogue, Row
from personas.domain.folding import fold


def colors(catalogue: Catalogue) -> dict[str, wire.Color]:
    """Return all colors as answers show them, by id."""
    return {
        color_id: wire.Color(
            id=color_id,
            name=row["name"],
            description=row["description"],
            hex_code=row["hex_code"],
            generated=_is_generated(row),
        )
        for color_id, row in _in_order(catalogue, "colors")
    }


def icons(catalogue: Catalogue) -> dict[str, wire.Icon]:
    """Return all icons as answers show them, by id."""
    return {
        icon_id: wire.Icon(
            id=icon_id,
            name=row["name"],
            description=row["description"],
            value=row["value"],
            generated=_is_generated(row),
        )
        for icon_id, row in _in_order(catalogue, "icons")
    }


def voices(catalogue: Catalogue) -> dict[str, wire.Voice]:
    """Return all voices as answers show them, by id."""
    return {
        voice_id: wire.Voice(id=voice_id, voice=row["voice"], generated=_is_generated(row))
        for voice_id, row in _in_order(catalogue, "voices", "voice")
    }


def departments(catalogue: Catalogue) -> dict[str, wire.Department]:
    """Return all departments as answers show them, by id."""
    return {
        department_id: wire.Department(
            department_id=department_id,
            name=row["name"],
            description=row["description"],
            generated=_is_generated(row),
        )
        for department_id, row in _in_order(catalogue, "departments")
    }


def flag(flag_id: str, row: Row, icons: Mapping[str, Row]) -> wire.PersonaFlagConfig:
    """Return a flag as answers show it, with the value of its icon."""
    return wire.PersonaFlagConfig(
        key=str(row["key"]),
        label=str(row["label"]),
        description=cast("str | None", row.get("description")),
        icon_id=cast("str | None", icons.get(cast("str", row.get("icon_id")), {}).get("value")),
        flag_option_id=flag_id,
        show=row.get("show") is not False,
        required=row.get("required") is True,
        generated=_is_generated(row),
    )


def parameters(catalogue: Catalogue) -> dict[str, wire.Parameter]:
    """Return all parameters as answers show them, by id."""
    return {each: _of_row(wire.Parameter, {**row, "id": each}) for each, row in _in_order(catalogue, "parameters")}


def parameter_fields(catalogue: Catalogue) -> dict[str, wire.ParameterField]:
    """Return all parameter fields as answers show them, by id."""
    rows = catalogue.rows("fields")
    every_link = catalogue.parameter_fields.values()
    return {
        link.id: wire.ParameterField(
            id=link.id,
            field_id=link.field_id,
            parameter_id=link.parameter_id,
            name=str(rows[link.field_id]["name"]),
            description=str(rows[link.field_id]["description"]),
            generated=_is_generated(rows[link.field_id]),
        )
        for link in sorted(every_link, key=lambda link: (fold(str(rows[link.field_id]["name"])), link.id))
    }


def fields(catalogue: Catalogue) -> dict[str, wire.Field]:
    """Return all fields as answers show them, by id: in no order, for a form takes that of their parameters."""
    return {each: _of_row(wire.Field, {**row, "id": each}) for each, row in catalogue.rows("fields").items()}


def _in_order(catalogue: Catalogue, kind: str, named_by: str = "name") -> list[tuple[str, Mapping[str, str]]]:
    """Return the rows of a kind by folded name, then by id, each behind its id; most of their columns hold texts."""
    rows = cast("Mapping[str, Mapping[str, str]]", catalogue.rows(kind))
    return sorted(rows.items(), key=lambda each: (fold(each[1][named_by]), each[0]))


def _of_row[M: WireModel](model: type[M], row: Row) -> M:
    """Return the model of those attributes of a row that it has: any other one is a later version's."""
    return model.model_validate({name: value for name, value in row.items() if name in model.model_fields})


def _is_generated(row: Row) -> bool:
    return row.get("generated") is True
