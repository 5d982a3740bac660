"""The answer of docs: the documentation of the persona artifact, composed of what the service itself works with.

    python -m personas_tools.documentation      # prints it; `make openapi` writes it into the layer

Models, the registry, the rules of permission, the views and the layout of the table say what they are in their own
place; here it is only put together. `personas.operations.docs` answers with it.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, cast, get_args

import click
from pydantic import BaseModel

from personas.contract import create, draft, drafts, get, search
from personas.contract.docs import (
    DocsApiResponse,
    DocsColumn,
    DocsResponse,
    DocsTable,
    DocsView,
    OperationInfo,
    OperationParam,
    PageTitle,
    PersonaDocsResponse,
)
from personas.contract.persona_fields import TextKind
from personas.contract.registry import ABOUT, ARTIFACT, Operation
from personas.contract.views import SEARCH, TEXTS, View
from personas.domain.permissions import PERMISSIONS
from personas_tools.layout import CATALOGUE_ENTRY, DRAFT, PERSONA, TABLE, TEXT_ENTRY, Attribute
from personas_tools.schemas import Param, params_of, returns_of

_SUFFIXES: Final = ("_show_selected", "_search", "_ids", "_id")
"""The endings of a field's name behind the name of the resource that it is about."""


def documentation() -> PersonaDocsResponse:
    """Return the documentation as it is without a persona: the same for every caller."""
    of_drafts = (draft.OPERATION, drafts.OPERATION)
    operations = {name: _operation(operation) for name, operation in ARTIFACT.items()}
    return PersonaDocsResponse(
        name="persona",
        type="artifact",
        description=ABOUT,
        artifact=DocsResponse(
            name="persona",
            type="artifact",
            description=ABOUT,
            materialized_view=_view(SEARCH, search.ListPersonaApiPersona),
            tables=[_table(PERSONA)],
            operations=[info for name, info in operations.items() if ARTIFACT[name] not in of_drafts],
        ),
        entries=[
            DocsResponse(
                name="persona_drafts",
                type="entry",
                description=draft.OPERATION.description,
                tables=[_table(DRAFT)],
                operations=[operations[operation.name] for operation in of_drafts],
            )
        ],
        resources=list(_resources()),
        permissions=[_permission(name, rules) for name, rules in PERMISSIONS.items()],
        api_operations=list(operations.values()),
        page_metadata=DocsApiResponse(
            list=PageTitle(title="Personas", description=search.OPERATION.summary),
            detail=PageTitle(title="Persona", description=get.OPERATION.summary),
            new=PageTitle(title="New persona", description=create.OPERATION.summary),
        ),
    )


def _operation(operation: Operation) -> OperationInfo:
    return OperationInfo(
        name=operation.name,
        description=f"{operation.description} ({operation.method} {operation.path})",
        params=[_param(param) for param in params_of(operation.request)],
        returns=returns_of(operation.response),
    )


def _resources() -> Iterator[DocsResponse]:
    """Yield the sections of a form, and the fields of the parameters in it."""
    models = dict(_resource_models())
    stems = {name.removesuffix("s"): name for name in models}
    about: dict[str, list[OperationInfo]] = {name: [] for name in models}
    for operation in ARTIFACT.values():
        params: dict[str, list[OperationParam]] = {}
        for param in params_of(operation.request):
            params.setdefault(_resource_of(param.name, stems), []).append(_param(param))
        for name, infos in about.items():
            answers = operation is get.OPERATION
            if name in params or answers:
                infos.append(
                    OperationInfo(
                        name=operation.name,
                        description=operation.description,
                        params=params.get(name, []),
                        returns=returns_of(models[name]) if answers else None,
                    )
                )
    for name, model in models.items():
        is_text = name in get_args(TextKind)
        yield DocsResponse(
            name=name,
            type="resource",
            description=_prose(model),
            materialized_view=_view(TEXTS, model) if is_text else None,
            # A parameter field has no item of its own: it follows from the entries of a parameter and of its field.
            tables=[_table(TEXT_ENTRY if is_text else CATALOGUE_ENTRY)],
            operations=about[name],
        )


def _resource_models() -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in get.GetPersonaResponse.model_fields.items():
        for section in _models_in(field.annotation):
            listed = section.model_fields.get("resources")
            for model in _models_in(listed.annotation) if listed else [section]:
                yield name, model


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _resource_of(param: str, stems: Mapping[str, str]) -> str:
    """Return the resource of a field of a body: the one with the longest name that its own ends with; or ""."""
    name = param.rpartition(".")[2]
    suffix = next((suffix for suffix in _SUFFIXES if name.endswith(suffix)), "")
    stem = name.removesuffix(suffix).removesuffix("s")
    found = [each for each in stems if stem == each or stem.endswith(f"_{each}")]
    return stems[max(found, key=len)] if found else ""


def _permission(name: str, rules: Iterable[Callable[..., object]]) -> OperationInfo:
    rules = list(rules)
    needed = {
        parameter.name: getattr(parameter.annotation, "__name__", str(parameter.annotation))
        for rule in rules
        for parameter in inspect.signature(rule).parameters.values()
    }
    return OperationInfo(
        name=name,
        description=" ".join(_prose(rule) for rule in rules),
        params=[OperationParam(name=each, type=kind, required=True) for each, kind in needed.items()],
        returns={"type": "boolean"},
    )


def _param(param: Param) -> OperationParam:
    return OperationParam(name=param.name, type=param.type, required=param.required, default=param.default)


def _table(attributes: Iterable[Attribute]) -> DocsTable:
    columns = [DocsColumn(name=each.name, type=each.type, nullable=not each.always) for each in attributes]
    return DocsTable(name=TABLE, columns=columns)


def _view(view: View, rows: type[BaseModel]) -> DocsView:
    columns = [
        DocsColumn(name=each.name, type=each.type.removesuffix(" | null"), nullable=each.type.endswith(" | null"))
        for each in params_of(rows)
    ]
    return DocsView(name=view.name, definition=view.definition, columns=columns)


def _prose(documented: object) -> str:
    """Return a docstring as running text."""
    return " ".join(cast("str", inspect.getdoc(documented)).split())


if __name__ == "__main__":
    click.echo(documentation().model_dump_json(indent=1))
