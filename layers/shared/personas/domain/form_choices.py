"""The choices that a form gives to one caller: for each section the options, what is selected, and suggestions."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from itertools import accumulate, islice
from typing import Final, NamedTuple

from personas.contract import resources as wire
from personas.contract.base import WireModel
from personas.contract.get import GetPersonaRequest
from personas.contract.persona_fields import BY_NAME, TextField
from personas.domain import resources
from personas.domain.catalogue import Catalogue, ParameterField
from personas.domain.folding import fold
from personas.domain.permissions import SUPERADMIN, is_for, is_offered_for_personas, offered_links
from personas.domain.persona import Form
from personas.domain.profile import Caller
from personas.domain.suggestions import OPTIONS_MAX, SECTION_BYTES, Suggestions
from personas.domain.text import Text, wire_bytes

SUGGESTIONS_MAX: Final = 20


class Choice(NamedTuple):
    """The options of a section by id, and the ids of those that are selected and suggested."""

    options: Mapping[str, WireModel]
    selected: Sequence[str]
    suggestions: Sequence[str]


class Choices:
    """The choices of a form, kind by kind.

    ``suggestions`` are the texts to choose from and what is used most; before the first refresh that is what is
    selected.
    """

    def __init__(
        self, form: Form, catalogue: Catalogue, caller: Caller, request: GetPersonaRequest, suggestions: Suggestions
    ) -> None:
        self.catalogue = catalogue
        self._form = form
        self._caller = caller
        self._request = request
        self._suggestions = suggestions

    def texts(self, field: TextField, model: type[WireModel], text_field: str) -> Choice:
        """Return the choice of a field's texts, each as ``model``, which holds the text in ``text_field``."""
        selected = self._form.texts_in(field)
        offered = self._suggestions.texts.get(field.kind, ())
        options = {
            text.id: model.model_validate({"id": text.id, text_field: text.text, "generated": False})
            for text in _text_options(selected, offered)
        }
        return self._choice(field.kind, options, [text.id for text in selected])

    def colors(self) -> Choice:
        """Return the choice of a color."""
        request = self._request
        selected = self._form.ids_in(BY_NAME["color"])
        entries = self._entries("colors", resources.colors, selected)
        searched = request.color_search, request.color_show_selected
        return self._links("colors", entries, selected, ("name", "hex_code"), *searched)

    def icons(self) -> Choice:
        """Return the choice of an icon."""
        request = self._request
        selected = self._form.ids_in(BY_NAME["icon"])
        entries = self._entries("icons", resources.icons, selected)
        searched = request.icon_search, request.icon_show_selected
        return self._links("icons", entries, selected, ("name", "value"), *searched)

    def flags(self) -> Choice:
        """Return the choice whether the active flag is set."""
        icons = self.catalogue.rows("icons")
        options = {flag_id: resources.flag(flag_id, row, icons) for flag_id, row in self.catalogue.flags.items()}
        selected = self._form.ids_in(BY_NAME["active_flag"])
        return Choice(options, selected, self._suggested("flags", selected, options))

    def departments(self) -> Choice:
        """Return the choice of departments: the caller's own, and those that are selected."""
        caller, selected = self._caller, self._form.department_ids
        entries = {
            department_id: department
            for department_id, department in self._entries("departments", resources.departments, selected).items()
            if caller.role == SUPERADMIN or department_id in caller.department_ids or department_id in selected
        }
        return self._links("departments", entries, selected)

    def voices(self) -> Choice:
        """Return the choice of voices."""
        selected = self._form.voice_ids
        return self._links("voices", self._entries("voices", resources.voices, selected), selected)

    @cached_property
    def resolved_parameter_ids(self) -> list[str]:
        """The parameters of the parameter fields that are selected."""
        links = self.catalogue.parameter_fields
        return list(dict.fromkeys(links[each].parameter_id for each in self._form.parameter_field_ids if each in links))

    @cached_property
    def parameters(self) -> Choice:
        """The choice of the parameters whose fields the form offers: those that the request picks, or all."""
        resolved = self.resolved_parameter_ids
        hidden: dict[str, set[str]] = {}
        for link in self._hidden:
            hidden.setdefault(link.parameter_id, set()).add(link.field_id)
        rows = self.catalogue.rows("parameters")
        entries = {
            parameter_id: _without_fields(entry, hidden[parameter_id]) if parameter_id in hidden else entry
            for parameter_id, entry in self.catalogue.derived(resources.parameters).items()
            if parameter_id in resolved or is_offered_for_personas(rows[parameter_id], self._caller)
        }
        choice = self._links("parameters", entries, resolved)
        if not self._request.parameter_ids:
            return choice
        picked = [each for each in self._request.parameter_ids if each in choice.options]
        return self._choice("parameters", choice.options, picked, entries)

    def parameter_fields(self) -> Choice:
        """Return the choice of fields of the parameters that are offered."""
        request, selected = self._request, self._form.parameter_field_ids
        offered = offered_links(self.catalogue, self._caller)
        links = self.catalogue.parameter_fields
        entries = {
            link_id: entry
            for link_id, entry in self.catalogue.derived(resources.parameter_fields).items()
            if link_id in selected or (link_id in offered and links[link_id].parameter_id in self._offering)
        }
        searched = request.parameter_field_search, request.parameter_field_show_selected
        return self._links("parameter_fields", entries, selected, ("name",), *searched)

    def fields(self) -> list[wire.Field]:
        """Return the fields of the parameters that are offered or selected.

        Parameters come in the order of the options, not as they happened to be loaded; the fields of each in their own.
        """
        place_of = {each: place for place, each in enumerate(self.catalogue.derived(resources.parameters))}
        shown = {*self._offering, *self.resolved_parameter_ids}
        links = [
            link
            for link in self.catalogue.parameter_fields.values()
            if link.parameter_id in shown and link not in self._hidden
        ]
        links.sort(key=lambda link: place_of[link.parameter_id])
        every_field = self.catalogue.derived(resources.fields)
        return [every_field[each] for each in dict.fromkeys(link.field_id for link in links)]

    @cached_property
    def _offering(self) -> frozenset[str]:
        """The parameters whose fields are offered."""
        return frozenset(self.parameters.selected if self._request.parameter_ids else self.parameters.options)

    @cached_property
    def _hidden(self) -> frozenset[ParameterField]:
        """The parameter fields that are not for the caller.

        The persona's own fields of a parameter are shown to all who see the persona; its other fields are not.
        """
        parameters, fields = (
            {each for each, row in self.catalogue.rows(kind).items() if is_for(row, self._caller)}
            for kind in ("parameters", "fields")
        )
        return frozenset(
            link
            for link in self.catalogue.parameter_fields.values()
            if not (link.parameter_id in parameters and link.field_id in fields)
            and link.id not in self._form.parameter_field_ids
        )

    def _entries[R](
        self, kind: str, every_entry: Callable[[Catalogue], Mapping[str, R]], selected: Collection[str]
    ) -> dict[str, R]:
        """Return the entries of a kind that can be selected, and those that are."""
        rows = self.catalogue.rows(kind)
        return {
            entry_id: entry
            for entry_id, entry in self.catalogue.derived(every_entry).items()
            if rows[entry_id].get("active") is not False or entry_id in selected
        }

    def _links(
        self,
        kind: str,
        entries: Mapping[str, WireModel],
        selected: Sequence[str],
        named_by: Sequence[str] = (),
        search: str | None = None,
        only_selected: bool | None = None,
    ) -> Choice:
        suggested = self._suggested(kind, (), entries)
        options = _options(entries, selected, suggested, named_by, search or "", only_selected=only_selected is True)
        return self._choice(kind, options, selected, entries)

    def _choice(
        self,
        kind: str,
        options: Mapping[str, WireModel],
        selected: Sequence[str],
        entries: Collection[str] | None = None,
    ) -> Choice:
        suggested = self._suggested(kind, selected, entries)
        return Choice(options, selected, [each for each in suggested if each in options])

    def _suggested(self, kind: str, selected: Sequence[str], entries: Collection[str] | None) -> list[str]:
        if self._suggestions.most_used is None:
            return list(selected)
        known = (each for each in self._suggestions.most_used[kind] if entries is None or each in entries)
        return list(islice(known, SUGGESTIONS_MAX))


def _options(
    entries: Mapping[str, WireModel],
    selected: Collection[str],
    suggested: Collection[str],
    named_by: Sequence[str],
    search: str,
    *,
    only_selected: bool,
) -> dict[str, WireModel]:
    """Return the options of a section, in the order of the entries: at most 100.

    All that is selected is among them, then what is suggested. A search looks among the suggestions too.
    """
    wanted = fold(search)
    chosen = {each for each in selected if each in entries}
    others = [
        entry_id
        for entry_id, entry in entries.items()
        if entry_id not in chosen
        and not only_selected
        and (not wanted or any(wanted in fold(getattr(entry, name)) for name in named_by))
    ]
    first = set(suggested)
    others.sort(key=lambda each: each not in first)
    kept = {*chosen, *others[: max(0, OPTIONS_MAX - len(chosen))]}
    return {entry_id: entry for entry_id, entry in entries.items() if entry_id in kept}


def _without_fields(parameter: wire.Parameter, hidden: Collection[str]) -> wire.Parameter:
    return parameter.model_copy(update={"field_ids": [each for each in parameter.field_ids if each not in hidden]})


def _text_options(selected: Sequence[Text], offered: Sequence[Text]) -> list[Text]:
    """Return what is selected, then what is offered, as far as a section holds it: at most 100, and at most 1 MB."""
    chosen = dict.fromkeys(selected)
    kept = list(dict.fromkeys([*chosen, *offered]))[:OPTIONS_MAX]
    taken = accumulate(wire_bytes(each.text) for each in kept)
    fitting = sum(size <= SECTION_BYTES for size in taken)
    return kept[: max(fitting, len(chosen))]
