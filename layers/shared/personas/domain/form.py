"""What is selected: in a persona, in a draft laid over it, or in what a caller wants to save.

A form is the common ground of get, create, update and draft. Changes to it are told by field, so that what is absent
stays as it is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypedDict, cast

from personas.contract.persona_fields import TextKind
from personas.domain.draft import Draft, Selection
from personas.domain.persona import Persona
from personas.domain.text import Text

TEXT_KINDS: Final[Mapping[str, TextKind]] = {
    "name": "names",
    "description": "descriptions",
    "instructions": "instructions",
    "examples": "examples",
}


@dataclass(frozen=True, slots=True)
class Form:
    """Everything that can be selected for a persona. None and () stand for nothing selected."""

    name: Text | None = None
    description: Text | None = None
    instructions: Text | None = None
    color_id: str | None = None
    icon_id: str | None = None
    active_flag_id: str | None = None
    department_ids: tuple[str, ...] = ()
    parameter_field_ids: tuple[str, ...] = ()
    examples: tuple[Text, ...] = ()
    voice_ids: tuple[str, ...] = ()

    def changed(self, changes: "Changes") -> "Form":
        """This form with ``changes`` made to it."""
        return replace(self, **changes)

    @property
    def texts(self) -> list[tuple[TextKind, Text]]:
        """Its texts, each with its kind."""
        return texts_of(cast("Changes", {name: getattr(self, name) for name in TEXT_KINDS}))


class Changes(TypedDict, total=False):
    """Changes to a form, by its fields: what is absent stays."""

    name: Text | None
    description: Text | None
    instructions: Text | None
    color_id: str | None
    icon_id: str | None
    active_flag_id: str | None
    department_ids: tuple[str, ...]
    parameter_field_ids: tuple[str, ...]
    examples: tuple[Text, ...]
    voice_ids: tuple[str, ...]


_IDS_OF_TEXTS: Final[Mapping[str, str]] = {
    "name": "name_id",
    "description": "description_id",
    "instructions": "instructions_id",
    "examples": "example_ids",
}
"""Where a draft and DraftFormState keep the ids of what a form holds as texts."""


def texts_of(changes: Changes) -> list[tuple[TextKind, Text]]:
    """The texts that changes bring along, each with its kind."""
    found: list[tuple[TextKind, Text]] = []
    for name, kind in TEXT_KINDS.items():
        value = changes.get(name)
        if isinstance(value, Text):
            found.append((kind, value))
        else:
            found += [(kind, each) for each in cast("Iterable[Text]", value or ())]
    return found


def form_of(persona: Persona) -> Form:
    """What is selected in a persona."""
    return Form(
        name=persona.name,
        description=persona.description,
        instructions=persona.instructions,
        color_id=persona.color_id,
        icon_id=persona.icon_id,
        active_flag_id=persona.active_flag_id,
        department_ids=persona.department_ids,
        parameter_field_ids=persona.parameter_field_ids,
        examples=persona.examples,
        voice_ids=persona.voice_ids,
    )


def laid_over(form: Form, draft: Draft) -> Form:
    """The draft over the form, field by field; what the draft cleared is cleared."""
    changes: dict[str, object] = {}
    for name in Form.__dataclass_fields__:
        stored_as = _IDS_OF_TEXTS.get(name, name)
        if stored_as not in draft.fields:
            continue
        if stored_as == name:
            changes[name] = draft.fields[name]
        else:
            texts = draft.texts.get(stored_as, ())
            changes[name] = texts if name == "examples" else (texts[0] if texts else None)
    return form.changed(cast("Changes", changes))


def fields_of(changes: Changes) -> tuple[dict[str, Selection], dict[str, tuple[Text, ...]]]:
    """Changes as a draft stores them: the selected ids by field, and the texts that some of them stand for."""
    fields: dict[str, Selection] = {}
    texts: dict[str, tuple[Text, ...]] = {}
    for name, value in cast("Mapping[str, Selection | Text | tuple[Text, ...]]", changes).items():
        if name not in _IDS_OF_TEXTS:
            fields[name] = cast("Selection", value)
            continue
        stored_as = _IDS_OF_TEXTS[name]
        selected = (value,) if isinstance(value, Text) else cast("tuple[Text, ...]", value or ())
        ids = tuple(each.id for each in selected)
        fields[stored_as] = ids if name == "examples" else (ids[0] if ids else None)
        texts[stored_as] = selected
    return fields, texts
