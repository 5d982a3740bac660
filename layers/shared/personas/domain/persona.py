"""A persona and its form: all that can be selected for one, field by field.

A persona has a form, a draft is laid over one, and a request changes one. Changes name the attributes of a form: what
they do not name stays.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from operator import attrgetter
from typing import Any, Final

from personas.contract.persona_fields import (
    FIELDS,
    LINK_FIELDS,
    TEXT_FIELDS,
    TEXTS_THEN_LINKS,
    PersonaField,
    TextField,
    TextKind,
)
from personas.domain.draft import Draft, Selection
from personas.domain.text import Text

HEAD_CHARACTERS: Final = 100
"""The length of the beginning of the instructions that a filter's options show."""

type Changes = Mapping[str, Any]
"""The new values of some attributes of a form, each of the attribute's own type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """Everything that is selected for a persona. None and () stand for nothing selected.

    It has an attribute for each field of `personas.contract.persona_fields`.
    """

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

    @classmethod
    def of(cls, changes: Changes) -> "Form":
        """Return the blank form with ``changes`` made to it."""
        return cls(**changes)

    def changed(self, changes: Changes) -> "Form":
        """Return this form with ``changes`` made to it."""
        return replace(self, **changes)

    def items(self) -> Iterator[tuple[PersonaField, Any]]:
        """Return each field with the value of its attribute."""
        return zip(FIELDS, _VALUES(self), strict=True)

    def texts_in(self, field: TextField) -> tuple[Text, ...]:
        """Return the texts of a field."""
        return as_many(field, getattr(self, field.name))

    def ids_in(self, field: PersonaField) -> tuple[str, ...]:
        """Return the ids of what is selected in a field."""
        if isinstance(field, TextField):
            return tuple([text.id for text in self.texts_in(field)])
        return as_many(field, getattr(self, field.id_name))

    @property
    def texts(self) -> list[tuple[TextKind, Text]]:
        """Its texts, each with its kind."""
        return [(field.kind, text) for field in TEXT_FIELDS for text in self.texts_in(field)]

    @property
    def linked_ids(self) -> frozenset[str]:
        """The ids of all that it links to."""
        return frozenset(entry_id for field in LINK_FIELDS for entry_id in self.ids_in(field))


_VALUES: Final = attrgetter(*(field.attribute for field in FIELDS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """A persona of a group.

    ``version`` counts what callers saved; ``seq`` counts every write of the item, the loader's included. Times are
    RFC 3339 in UTC. Where its form has no active flag the persona is inactive.
    """

    id: str
    form: Form
    scenario_ids: tuple[str, ...] = ()
    active_scenario_ids: tuple[str, ...] = ()
    num_profiles: int = 0
    generated: bool = False
    mcp: bool = False
    created_at: str
    updated_at: str
    version: int = 1
    seq: int = dataclass_field(default=0, compare=False)

    @property
    def name(self) -> Text:
        """Its name, which no persona is without."""
        if self.form.name is None:
            raise AssertionError("a persona has a name")
        return self.form.name

    @property
    def department_ids(self) -> tuple[str, ...]:
        """The departments that it is assigned to."""
        return self.form.department_ids


def one_or_many[T](field: PersonaField, values: Sequence[T]) -> tuple[T, ...] | T | None:
    """Return values as a field holds them: all of them, or the first one, or None."""
    return tuple(values) if field.many else values[0] if values else None


def as_many(field: PersonaField, held: Any) -> tuple[Any, ...]:
    """Return the values that a field of a form holds, one or many."""
    return held if field.many else () if held is None else (held,)


def laid_over(form: Form, draft: Draft) -> Form:
    """Return the draft over the form, field by field; what the draft cleared is cleared."""
    changes: dict[str, Any] = {}
    for field in FIELDS:
        if field.id_name not in draft.fields:
            continue
        if isinstance(field, TextField):
            changes[field.name] = one_or_many(field, draft.texts.get(field.id_name, ()))
        else:
            changes[field.id_name] = draft.fields[field.id_name]
    return form.changed(changes)


def fields_of(changes: Changes) -> tuple[dict[str, Selection], dict[str, tuple[Text, ...]]]:
    """Return changes as a draft stores them: the selected ids by field, and the texts that some of them stand for."""
    form = Form.of(changes)
    fields: dict[str, Selection] = {}
    texts: dict[str, tuple[Text, ...]] = {}
    for field in TEXTS_THEN_LINKS:
        if field.attribute in changes:
            fields[field.id_name] = one_or_many(field, form.ids_in(field))
            if isinstance(field, TextField):
                texts[field.id_name] = form.texts_in(field)
    return fields, texts
