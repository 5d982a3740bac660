"""The sections of a persona's form: what is selected, what else could be, and how the form shows it."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import accumulate, islice
from typing import Final, NamedTuple, cast

from personas.contract import resources as wire
from personas.contract import sections
from personas.contract.base import WireModel
from personas.contract.get import GetPersonaRequest
from personas.contract.persona_fields import TextKind
from personas.domain.catalogue import Catalogue, Row
from personas.domain.folding import fold
from personas.domain.form import Form
from personas.domain.linking import is_for, is_offered_for_personas, is_offered_link
from personas.domain.permissions import SUPERADMIN
from personas.domain.profile import Caller
from personas.domain.suggestions import Suggestions
from personas.domain.text import Text, wire_bytes

OPTIONS_MAX: Final = 100
SECTION_BYTES: Final = 1_000_000
"""What the texts of one section may take in an answer."""
SUGGESTIONS_MAX: Final = 20

STEPS: Final[Mapping[str, tuple[str, ...]]] = {
    "basic_show_ai_generate": ("names", "descriptions", "flags", "departments"),
    "content_show_ai_generate": ("instructions", "examples", "voices"),
    "parameters_step_show_ai_generate": ("parameters", "parameter_fields"),
}
"""The kinds behind each of the three flags of the form's steps."""


class Layout(NamedTuple):
    """The parts of a get answer that the form is made of, by their names on the wire."""

    sections: dict[str, sections.Section]
    steps: dict[str, bool]
    fields: list[wire.Field]
    resolved_parameter_ids: list[str]


def lay_out(
    form: Form, catalogue: Catalogue, caller: Caller, request: GetPersonaRequest, suggestions: Suggestions
) -> Layout:
    """The form's sections with the options that this caller has.

    ``suggestions`` are the texts to choose from and what is used most; before the first refresh, what is selected.
    """

    def suggested(kind: str, selected: Iterable[str], entries: Collection[str] | None) -> list[str]:
        if suggestions.most_used is None:
            return list(selected)
        known = (each for each in suggestions.most_used[kind] if entries is None or each in entries)
        return list(islice(known, SUGGESTIONS_MAX))

    def one[S: sections.Section, R](
        make: type[S],
        kind: str,
        options: Mapping[str, R],
        selected: str | None,
        entries: Collection[str] | None = None,
        *,
        required: bool = False,
        always: bool = False,
    ) -> S:
        return make.model_validate(
            {
                "show": always or bool(options),
                "required": required,
                "show_ai_generate": kind in catalogue.ai_kinds,
                "suggestions": [each for each in suggested(kind, _just(selected), entries) if each in options],
                "resource": options.get(selected) if selected else None,
                "resources": list(options.values()),
            }
        )

    def several[S: sections.Section, R](
        make: type[S],
        kind: str,
        options: Mapping[str, R],
        selected: Collection[str],
        entries: Collection[str] | None = None,
    ) -> S:
        return make.model_validate(
            {
                "show": bool(options),
                "show_ai_generate": kind in catalogue.ai_kinds,
                "suggestions": [each for each in suggested(kind, selected, entries) if each in options],
                "current": [options[each] for each in selected if each in options],
                "resources": list(options.values()),
            }
        )

    def texts[R](kind: TextKind, selected: Sequence[Text], to_wire: Callable[[Text], R]) -> dict[str, R]:
        offered = suggestions.texts.get(kind, ())
        return {each.id: to_wire(each) for each in _text_options(selected, offered)}

    all_colors = _entries(catalogue, "colors", _color, _just(form.color_id))
    colors = _options(
        all_colors,
        suggested=suggested("colors", (), all_colors),
        selected=_just(form.color_id),
        named_by=lambda color: (color.name, color.hex_code),
        search=request.color_search,
        only_selected=request.color_show_selected is True,
    )
    all_icons = _entries(catalogue, "icons", _icon, _just(form.icon_id))
    icons = _options(
        all_icons,
        suggested=suggested("icons", (), all_icons),
        selected=_just(form.icon_id),
        named_by=lambda icon: (icon.name, icon.value),
        search=request.icon_search,
        only_selected=request.icon_show_selected is True,
    )
    all_voices = _entries(catalogue, "voices", _voice, form.voice_ids)
    voices = _options(
        all_voices,
        suggested=suggested("voices", (), all_voices),
        selected=form.voice_ids,
        named_by=lambda voice: (voice.voice,),
    )
    all_departments = {
        department_id: department
        for department_id, department in _entries(catalogue, "departments", _department, form.department_ids).items()
        if caller.role == SUPERADMIN or department_id in caller.department_ids or department_id in form.department_ids
    }
    departments = _options(
        all_departments,
        suggested=suggested("departments", (), all_departments),
        selected=form.department_ids,
        named_by=lambda department: (department.name,),
    )

    links = [
        catalogue.parameter_fields[each] for each in form.parameter_field_ids if each in catalogue.parameter_fields
    ]
    resolved = list(dict.fromkeys(link.parameter_id for link in links))
    field_rows, parameter_rows = catalogue.rows("fields"), catalogue.rows("parameters")

    # What the persona has of a parameter is shown to whoever sees the persona; what else that holds is not.
    hidden = {
        link
        for link in catalogue.parameter_fields.values()
        if link.id not in form.parameter_field_ids
        and not all(is_for(row, caller) for row in (parameter_rows[link.parameter_id], field_rows[link.field_id]))
    }
    hidden_fields = {(link.parameter_id, link.field_id) for link in hidden}
    all_parameters = {
        parameter_id: _parameter(parameter_id, row, hidden_fields)
        for parameter_id, row in catalogue.rows("parameters").items()
        if parameter_id in resolved or is_offered_for_personas(row, caller)
    }
    parameters = _options(
        all_parameters,
        suggested=suggested("parameters", (), all_parameters),
        selected=resolved,
        named_by=lambda parameter: (parameter.name,),
    )
    picked = [each for each in request.parameter_ids if each in parameters] if request.parameter_ids else None
    offering = set(parameters if picked is None else picked)
    every_parameter_field = catalogue.derived(_parameter_fields)
    all_parameter_fields = {
        link.id: every_parameter_field[link.id]
        for link in catalogue.parameter_fields.values()
        if link.id in form.parameter_field_ids
        or (link.parameter_id in offering and is_offered_link(catalogue, link, caller))
    }
    parameter_fields = _options(
        all_parameter_fields,
        suggested=suggested("parameter_fields", (), all_parameter_fields),
        selected=form.parameter_field_ids,
        named_by=lambda field: (field.name,),
        search=request.parameter_field_search,
        only_selected=request.parameter_field_show_selected is True,
    )
    # Parameters in the order of the options, not as they happened to be loaded; the fields of each in their own.
    shown = [
        link
        for link in catalogue.parameter_fields.values()
        if link.parameter_id in {*offering, *resolved} and link not in hidden
    ]
    shown.sort(key=lambda link: (fold(str(parameter_rows[link.parameter_id]["name"])), link.parameter_id))
    shown_fields = dict.fromkeys(link.field_id for link in shown)
    every_field = catalogue.derived(_fields)

    flags = {flag_id: _flag(flag_id, row, catalogue.rows("icons")) for flag_id, row in catalogue.flags.items()}
    made: dict[str, sections.Section] = {
        "names": one(
            sections.PersonaNameSection,
            "names",
            texts("names", _just(form.name), lambda each: wire.Name(id=each.id, name=each.text, generated=False)),
            form.name.id if form.name else None,
            required=True,
            always=True,
        ),
        "descriptions": one(
            sections.PersonaDescriptionSection,
            "descriptions",
            texts(
                "descriptions",
                _just(form.description),
                lambda each: wire.Description(id=each.id, description=each.text, generated=False),
            ),
            form.description.id if form.description else None,
            always=True,
        ),
        "colors": one(sections.PersonaColorSection, "colors", colors, form.color_id, all_colors, required=True),
        "icons": one(sections.PersonaIconSection, "icons", icons, form.icon_id, all_icons, required=True),
        "instructions": one(
            sections.PersonaInstructionSection,
            "instructions",
            texts(
                "instructions",
                _just(form.instructions),
                lambda each: wire.Instruction(id=each.id, template=each.text, generated=False),
            ),
            form.instructions.id if form.instructions else None,
            required=True,
            always=True,
        ),
        "flags": sections.PersonaFlagSection(
            show=True,
            show_ai_generate="flags" in catalogue.ai_kinds,
            suggestions=suggested("flags", _just(form.active_flag_id), flags),
            current=flags.get(form.active_flag_id) if form.active_flag_id else None,
            resources=list(flags.values()),
        ),
        "departments": several(
            sections.PersonaDepartmentSection, "departments", departments, form.department_ids, all_departments
        ),
        "parameter_fields": several(
            sections.PersonaParameterFieldSection,
            "parameter_fields",
            parameter_fields,
            form.parameter_field_ids,
            all_parameter_fields,
        ),
        "examples": several(
            sections.PersonaExampleSection,
            "examples",
            texts("examples", form.examples, lambda each: wire.Example(id=each.id, example=each.text, generated=False)),
            [each.id for each in form.examples],
        ),
        "parameters": several(
            sections.PersonaParameterSection,
            "parameters",
            parameters,
            resolved if picked is None else picked,
            all_parameters,
        ),
        "voices": several(sections.PersonaVoiceSection, "voices", voices, form.voice_ids, all_voices),
    }
    return Layout(
        sections=made,
        steps={step: not catalogue.ai_kinds.isdisjoint(kinds) for step, kinds in STEPS.items()},
        fields=[every_field[each] for each in shown_fields],
        resolved_parameter_ids=resolved,
    )


def _options[R](
    entries: Mapping[str, R],
    *,
    selected: Collection[str],
    suggested: Collection[str],
    named_by: Callable[[R], Iterable[str | None]],
    search: str | None = None,
    only_selected: bool = False,
) -> dict[str, R]:
    """Return the options of a section by folded name: at most 100, what is selected or suggested always among them.

    A search looks among the suggestions too.
    """
    wanted = fold(search or "")
    names = {entry_id: [fold(name or "") for name in named_by(entry)] for entry_id, entry in entries.items()}
    chosen = [each for each in selected if each in entries]
    others = [
        entry_id
        for entry_id in entries
        if entry_id not in chosen and not only_selected and any(wanted in name for name in names[entry_id])
    ]
    others.sort(key=lambda each: (each not in suggested, names[each][0], each))
    kept = sorted([*chosen, *others[: max(0, OPTIONS_MAX - len(chosen))]], key=lambda each: (names[each][0], each))
    return {entry_id: entries[entry_id] for entry_id in kept}


def _text_options(selected: Sequence[Text], offered: Sequence[Text]) -> list[Text]:
    """What is selected, then what is offered, as far as a section holds it: at most 100, and at most 1 MB."""
    chosen = dict.fromkeys(selected)
    kept = list(dict.fromkeys([*chosen, *offered]))[: max(OPTIONS_MAX, len(chosen))]
    taken = accumulate(wire_bytes(each.text) for each in kept)
    fitting = sum(size <= SECTION_BYTES for size in taken)
    return kept[: max(fitting, len(chosen))]


def _just[T](value: T | None) -> tuple[T, ...]:
    return () if value is None else (value,)


def _entries[R](
    catalogue: Catalogue,
    kind: str,
    to_wire: Callable[[str, Mapping[str, str | None]], R],
    selected: Collection[str],
) -> dict[str, R]:
    """The entries of a kind that can be selected, and those that are."""
    return {
        entry_id: to_wire(entry_id, cast("Mapping[str, str | None]", row))
        for entry_id, row in catalogue.rows(kind).items()
        if row.get("active") is not False or entry_id in selected
    }


def _color(color_id: str, row: Mapping[str, str | None]) -> wire.Color:
    return wire.Color(
        id=color_id, name=row["name"], description=row["description"], hex_code=row["hex_code"], generated=_made(row)
    )


def _icon(icon_id: str, row: Mapping[str, str | None]) -> wire.Icon:
    return wire.Icon(
        id=icon_id, name=row["name"], description=row["description"], value=row["value"], generated=_made(row)
    )


def _voice(voice_id: str, row: Mapping[str, str | None]) -> wire.Voice:
    return wire.Voice(id=voice_id, voice=row["voice"], generated=_made(row))


def _department(department_id: str, row: Mapping[str, str | None]) -> wire.Department:
    return wire.Department(
        department_id=department_id, name=row["name"], description=row["description"], generated=_made(row)
    )


def _flag(flag_id: str, row: Row, icons: Mapping[str, Row]) -> wire.PersonaFlagConfig:
    return wire.PersonaFlagConfig(
        key=str(row["key"]),
        label=str(row["label"]),
        description=cast("str | None", row.get("description")),
        icon_id=cast("str | None", icons.get(cast("str", row.get("icon_id")), {}).get("value")),
        flag_option_id=flag_id,
        show=row.get("show") is not False,
        required=row.get("required") is True,
        generated=_made(row),
    )


def _parameter_fields(catalogue: Catalogue) -> dict[str, wire.ParameterField]:
    rows = catalogue.rows("fields")
    return {
        link.id: wire.ParameterField(
            id=link.id,
            field_id=link.field_id,
            parameter_id=link.parameter_id,
            name=str(rows[link.field_id]["name"]),
            description=str(rows[link.field_id]["description"]),
            generated=_made(rows[link.field_id]),
        )
        for link in catalogue.parameter_fields.values()
    }


def _parameter(parameter_id: str, row: Row, hidden_fields: Collection[tuple[str, str]]) -> wire.Parameter:
    field_ids = [each for each in cast("Sequence[str]", row["field_ids"]) if (parameter_id, each) not in hidden_fields]
    return _of_row(wire.Parameter, {**row, "id": parameter_id, "field_ids": field_ids})


def _fields(catalogue: Catalogue) -> dict[str, wire.Field]:
    return {each: _of_row(wire.Field, {**row, "id": each}) for each, row in catalogue.rows("fields").items()}


def _of_row[M: WireModel](model: type[M], row: Row) -> M:
    """Return the model of what it knows of a row: any other attribute is a later version's."""
    return model.model_validate({name: value for name, value in row.items() if name in model.model_fields})


def _made(row: Row) -> bool:
    return row.get("generated") is True
