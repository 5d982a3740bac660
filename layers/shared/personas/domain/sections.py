"""The sections of a persona's form, as an answer to `get` shows them."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from personas.contract import resources as wire
from personas.contract import sections
from personas.contract.base import WireModel
from personas.contract.get import GetPersonaRequest
from personas.contract.persona_fields import FIELDS, TEXT_FIELDS, PersonaField, TextKind
from personas.domain.catalogue import Catalogue
from personas.domain.form_choices import Choice, Choices
from personas.domain.persona import Form
from personas.domain.profile import Caller
from personas.domain.suggestions import Suggestions


class SectionSpec(NamedTuple):
    """The specification of a section: its model, the choice that it shows, and whether it is shown without options."""

    model: type[sections.Section]
    choice: Callable[[Choices], Choice]
    always: bool = False


def _texts(kind: TextKind, model: type[WireModel], text_field: str) -> Callable[[Choices], Choice]:
    (field,) = (each for each in TEXT_FIELDS if each.kind == kind)
    return lambda choices: choices.texts(field, model, text_field)


SECTIONS: Final[Mapping[str, SectionSpec]] = {
    "names": SectionSpec(sections.PersonaNameSection, _texts("names", wire.Name, "name"), always=True),
    "descriptions": SectionSpec(
        sections.PersonaDescriptionSection, _texts("descriptions", wire.Description, "description"), always=True
    ),
    "colors": SectionSpec(sections.PersonaColorSection, Choices.colors),
    "icons": SectionSpec(sections.PersonaIconSection, Choices.icons),
    "instructions": SectionSpec(
        sections.PersonaInstructionSection, _texts("instructions", wire.Instruction, "template"), always=True
    ),
    "flags": SectionSpec(sections.PersonaFlagSection, Choices.flags),
    "departments": SectionSpec(sections.PersonaDepartmentSection, Choices.departments),
    "parameter_fields": SectionSpec(sections.PersonaParameterFieldSection, Choices.parameter_fields),
    "examples": SectionSpec(sections.PersonaExampleSection, _texts("examples", wire.Example, "example")),
    "parameters": SectionSpec(sections.PersonaParameterSection, lambda choices: choices.parameters),
    "voices": SectionSpec(sections.PersonaVoiceSection, Choices.voices),
}
"""The sections, by their names on the wire. All but the parameters are each of one field of the form."""

STEPS: Final[Mapping[str, tuple[str, ...]]] = {
    "basic_show_ai_generate": ("names", "descriptions", "flags", "departments"),
    "content_show_ai_generate": ("instructions", "examples", "voices"),
    "parameters_step_show_ai_generate": ("parameters", "parameter_fields"),
}
"""The kinds behind each of the three flags of the form's steps."""

_FIELD_OF: Final[Mapping[str, PersonaField]] = {field.kind: field for field in FIELDS}


class Layout(NamedTuple):
    """The parts of a get answer that the form is made of, by their names on the wire."""

    sections: dict[str, sections.Section]
    steps: dict[str, bool]
    fields: list[wire.Field]
    resolved_parameter_ids: list[str]


def build_form(
    form: Form, catalogue: Catalogue, caller: Caller, request: GetPersonaRequest, suggestions: Suggestions
) -> Layout:
    """Return the form's sections with the options that this caller has."""
    choices = Choices(form, catalogue, caller, request, suggestions)
    return Layout(
        sections={kind: _section(kind, choices) for kind in SECTIONS},
        steps={step: not catalogue.ai_kinds.isdisjoint(kinds) for step, kinds in STEPS.items()},
        fields=choices.fields(),
        resolved_parameter_ids=choices.resolved_parameter_ids,
    )


def _section(kind: str, choices: Choices) -> sections.Section:
    spec, field = SECTIONS[kind], _FIELD_OF.get(kind)
    options, selected, suggestions = spec.choice(choices)
    current = [options[each] for each in selected if each in options]
    takes_one = field is not None and not field.many
    return spec.model.model_validate(
        {
            "show": spec.always or bool(options),
            "required": field is not None and field.needed,
            "show_ai_generate": kind in choices.catalogue.ai_kinds,
            "suggestions": suggestions,
            "resource" if "resource" in spec.model.model_fields else "current": (
                next(iter(current), None) if takes_one else current
            ),
            "resources": list(options.values()),
        }
    )
