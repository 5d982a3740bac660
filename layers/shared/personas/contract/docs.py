"""docs: the documentation of the persona artifact, made from the same models as the OpenAPI document."""

from typing import Annotated, Final

from pydantic import Field

from personas.contract.base import ReadRequest, WireModel
from personas.contract.names import Id
from personas.contract.operation import READ_ERRORS, Operation


class PersonaDocsRequest(ReadRequest):
    """Which persona the titles should speak of."""

    entity_id: Annotated[Id | None, Field(description="A persona whose name goes into the detail page's title.")] = None


class DocsColumn(WireModel):
    """A column of a table or a view."""

    name: Annotated[str, Field(description="The name of the column.")]
    type: Annotated[str, Field(description="What it holds.")]
    nullable: Annotated[bool, Field(description="Whether it may hold nothing.")]


class DocsTable(WireModel):
    """Where something is stored."""

    name: Annotated[str, Field(description="The name of the table.")]
    columns: Annotated[list[DocsColumn], Field(description="Its columns.")]


class DocsView(WireModel):
    """Something precomputed, brought up to date by refresh."""

    name: Annotated[str, Field(description="The name of the view.")]
    definition: Annotated[str, Field(description="What the view is made from and how.")]
    columns: Annotated[list[DocsColumn], Field(description="Its columns.")]


class OperationParam(WireModel):
    """Something that an operation takes."""

    name: Annotated[str, Field(description="The name of the parameter.")]
    type: Annotated[str, Field(description="What it takes.")]
    required: Annotated[bool, Field(description="Whether it must be given.")]
    default: Annotated[object, Field(description="What it is where it is not given.")] = None


class OperationInfo(WireModel):
    """Something that can be done or asked."""

    name: Annotated[str, Field(description="The name of the operation.")]
    description: Annotated[str, Field(description="What it does.")]
    params: Annotated[list[OperationParam], Field(description="What it takes.")]
    returns: Annotated[dict[str, object] | None, Field(description="What it answers with, as a JSON schema.")] = None


class DocsResponse(WireModel):
    """The documentation of one kind of thing."""

    name: Annotated[str, Field(description="What it is called.")]
    type: Annotated[str, Field(description="What kind of thing it is.")]
    description: Annotated[str, Field(description="What it is for.")]
    materialized_view: Annotated[DocsView | None, Field(description="The view over it, where there is one.")] = None
    tables: Annotated[list[DocsTable], Field(description="Where it is stored.")]
    operations: Annotated[list[OperationInfo], Field(description="What can be done with it.")]


class PageTitle(WireModel):
    """How a page is headed."""

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
    type: Annotated[str, Field(description="What kind of thing is documented.")]
    description: Annotated[str, Field(description="What personas are.")]
    artifact: Annotated[DocsResponse | None, Field(description="The persona itself.")] = None
    entries: Annotated[list[DocsResponse], Field(description="What belongs to a persona's making: its drafts.")]
    resources: Annotated[list[DocsResponse], Field(description="What a persona is made of, twelve kinds.")]
    permissions: Annotated[list[OperationInfo], Field(description="What the service asks before it lets someone.")]
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
