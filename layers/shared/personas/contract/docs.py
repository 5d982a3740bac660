"""docs: the documentation of the persona artifact, made from the same models as the OpenAPI document."""

from typing import Annotated, Final

from pydantic import Field

from personas.contract.base import Id, ReadRequest, WireModel
from personas.contract.operation import READ_ERRORS, Operation


class PersonaDocsRequest(ReadRequest):
    """The persona that the titles name."""

    entity_id: Annotated[Id | None, Field(description="A persona whose name goes into the detail page's title.")] = None


class DocsColumn(WireModel):
    """A column of a table or a view."""

    name: Annotated[str, Field(description="The name of the column.")]
    type: Annotated[str, Field(description="The type of its values.")]
    nullable: Annotated[bool, Field(description="True if it may hold nothing.")]


class DocsTable(WireModel):
    """A table in which something is stored."""

    name: Annotated[str, Field(description="The name of the table.")]
    columns: Annotated[list[DocsColumn], Field(description="Its columns.")]


class DocsView(WireModel):
    """Something precomputed, brought up to date by refresh."""

    name: Annotated[str, Field(description="The name of the view.")]
    definition: Annotated[str, Field(description="The source of the view, and the way in which it is made.")]
    columns: Annotated[list[DocsColumn], Field(description="Its columns.")]


class OperationParam(WireModel):
    """Something that an operation takes."""

    name: Annotated[str, Field(description="The name of the parameter.")]
    type: Annotated[str, Field(description="The type of its value.")]
    required: Annotated[bool, Field(description="True if it must be given.")]
    default: Annotated[object, Field(description="Its value if it is not given.")] = None


class OperationInfo(WireModel):
    """Something that can be done or asked."""

    name: Annotated[str, Field(description="The name of the operation.")]
    description: Annotated[str, Field(description="A description of the operation.")]
    params: Annotated[list[OperationParam], Field(description="Its parameters.")]
    returns: Annotated[dict[str, object] | None, Field(description="Its answer, as a JSON schema.")] = None


class DocsResponse(WireModel):
    """The documentation of one kind of thing."""

    name: Annotated[str, Field(description="Its name.")]
    type: Annotated[str, Field(description="Its kind.")]
    description: Annotated[str, Field(description="Its purpose.")]
    materialized_view: Annotated[DocsView | None, Field(description="The view over it, where there is one.")] = None
    tables: Annotated[list[DocsTable], Field(description="The tables in which it is stored.")]
    operations: Annotated[list[OperationInfo], Field(description="The operations on it.")]


class PageTitle(WireModel):
    """The heading of a page."""

    title: Annotated[str, Field(description="The heading.")]
    description: Annotated[str, Field(description="A sentence below it.")]


class DocsApiResponse(WireModel):
    """The headings of the pages on personas."""

    list: Annotated[PageTitle, Field(description="The page that lists personas.")]
    detail: Annotated[PageTitle, Field(description="The page of one persona.")]
    new: Annotated[PageTitle, Field(description="The page to make a new one.")]


class PersonaDocsResponse(WireModel):
    """All documentation of the persona artifact."""

    name: Annotated[str, Field(description="The name of the artifact.")]
    type: Annotated[str, Field(description="The kind of thing that is documented.")]
    description: Annotated[str, Field(description="A description of personas.")]
    artifact: Annotated[DocsResponse | None, Field(description="The persona itself.")] = None
    entries: Annotated[list[DocsResponse], Field(description="The things from which a persona is made: its drafts.")]
    resources: Annotated[list[DocsResponse], Field(description="The parts of a persona, of twelve kinds.")]
    permissions: Annotated[
        list[OperationInfo], Field(description="The rules by which the service permits an operation.")
    ]
    api_operations: Annotated[list[OperationInfo], Field(description="The operations of this API.")]
    page_metadata: Annotated[DocsApiResponse | None, Field(description="The headings of the pages.")] = None


OPERATION: Final = Operation(
    name="docs",
    summary="Get the documentation of personas",
    description=(
        "Answers with a description of the artifact, its resources, its permissions and its operations, made from the "
        "models that the service itself works with. With entity_id, the detail title carries that persona's name."
    ),
    request=PersonaDocsRequest,
    response=PersonaDocsResponse,
    errors=READ_ERRORS,
)
