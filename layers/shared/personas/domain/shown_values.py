"""The fields of a form as people read them: texts, entries by the names that the catalogue has now, and authors."""

from typing import cast

from personas.contract.field_values import ChangedBy, FieldValue, FieldValues, NamedEntry
from personas.contract.persona_fields import SHOWN_FIELDS, PersonaField, TextField
from personas.domain.authorship import Author
from personas.domain.catalogue import Catalogue
from personas.domain.persona import Form, one_or_many


def value_of(field: PersonaField, form: Form, catalogue: Catalogue) -> FieldValue:
    """Return what a form has in a field."""
    if isinstance(field, TextField):
        texts = [text.text for text in form.texts_in(field)]
        return cast("FieldValue", texts if field.many else one_or_many(field, texts))
    entries = [NamedEntry(id=each, name=catalogue.label(field.kind, each)) for each in form.ids_in(field)]
    return cast("FieldValue", entries if field.many else one_or_many(field, entries))


def values_of(form: Form, catalogue: Catalogue) -> FieldValues:
    """Return what a form has in all its fields."""
    return FieldValues.model_validate({name: value_of(field, form, catalogue) for name, field in SHOWN_FIELDS})


def changed_by(author: Author | None) -> ChangedBy | None:
    """Return who wrote; None for a tool."""
    return None if author is None else ChangedBy(profile_id=author.profile_id, name=author.name)
