"""draft: keep what someone is typing, without saving the persona yet."""

from collections.abc import Mapping
from typing import Annotated, Final, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from personas.contract.base import (
    DescriptionText,
    ExampleIds,
    Examples,
    Id,
    Ids,
    InstructionsText,
    NameText,
    VersionOrZero,
    WireId,
    WireModel,
    WriteRequest,
    id_or_value,
)
from personas.contract.conflicts import Merge, Merged, check_merge
from personas.contract.operation import WRITE_ERRORS, Operation
from personas.contract.persona_fields import TEXT_FIELDS
from personas.contract.results import DraftFormState

__all__ = ["OPERATION", "DraftFormState", "PatchPersonaDraftRequest", "PatchPersonaDraftResponse"]


class PatchPersonaDraftRequest(WriteRequest):
    """Changes to a draft. Absent fields stay as they are, null clears a selection, [] or null a list.

    Examples may come as ids, as texts, or as both: the ids first, then the texts. Whichever name the flag came by,
    once validated it is in active_flag_id.
    """

    input_draft_id: Annotated[Id | None, Field(description="The draft to change; absent or null: a new one.")] = None
    expected_version: Annotated[
        VersionOrZero, Field(description="The version that the caller saw last; 0 for a new draft.")
    ] = 0
    merge: Merge = False
    name_id: Annotated[Id | None, Field(description="The name, by its id.")] = None
    name: Annotated[NameText, Field(description="The name.")] = None
    description_id: Annotated[Id | None, Field(description="The description, by its id.")] = None
    description: Annotated[DescriptionText, Field(description="A short text on who the persona is.")] = None
    instructions_id: Annotated[Id | None, Field(description="The instructions, by their id.")] = None
    instructions: Annotated[
        InstructionsText, Field(description="The text that tells a model how to play the persona.")
    ] = None
    example_ids: Annotated[ExampleIds, Field(description="Things it might say, by their ids.")] = None
    examples: Annotated[Examples, Field(description="Things it might say.")] = None
    color_id: Annotated[Id | None, Field(description="The color.")] = None
    icon_id: Annotated[Id | None, Field(description="The icon.")] = None
    flag_id: Annotated[Id | None, Field(description="The active flag; null makes the persona inactive.")] = None
    active_flag_id: Annotated[Id | None, Field(description="Another name for flag_id, as the form state calls it.")] = (
        None
    )
    department_ids: Annotated[Ids, Field(description="The departments it is assigned to.")] = None
    parameter_field_ids: Annotated[Ids, Field(description="The parameter fields.")] = None
    voice_ids: Annotated[Ids, Field(description="The voices it can speak with.")] = None

    @field_validator(*(field.name for field in TEXT_FIELDS if field.many), mode="before")
    @classmethod
    def _without_blank_rows(cls, value: object) -> object:
        # A form that saves while someone types sends the row that was only just added.
        if not isinstance(value, list):
            return value
        return [entry for entry in value if not (isinstance(entry, str) and not entry.strip())]

    _id_or_value = field_validator(*(field.name for field in TEXT_FIELDS if not field.many))(id_or_value)

    @model_validator(mode="before")
    @classmethod
    def _merges_from_a_version(cls, sent: object) -> object:
        # Before: an absent version is 0 afterwards.
        if isinstance(sent, Mapping) and sent.get("merge") is True:
            check_merge(cls.__name__, merge=True, expected_version=sent.get("expected_version"))
        return sent

    @model_validator(mode="after")
    def _one_flag(self) -> Self:
        if "flag_id" in self.model_fields_set and "active_flag_id" not in self.model_fields_set:
            self.active_flag_id = self.flag_id
        if "flag_id" in self.model_fields_set and self.flag_id != self.active_flag_id:
            fault = InitErrorDetails(
                type=PydanticCustomError("contract_both", "differs from flag_id, which is the same thing"),
                loc=("active_flag_id",),
                input=None,
            )
            raise ValidationError.from_exception_data(type(self).__name__, [fault])
        return self


class PatchPersonaDraftResponse(WireModel):
    """The draft as it is stored now."""

    success: Annotated[bool, Field(description="True if the draft is stored.")]
    draft_id: Annotated[WireId, Field(description="The id of the draft.")]
    new_version: Annotated[int, Field(description="Its version, to expect at the next change.")]
    message: Annotated[str, Field(description="The result, in words for people.")]
    form_state: Annotated[DraftFormState, Field(description="The selection in it now.")]
    merged: Merged = None


OPERATION: Final = Operation(
    name="draft",
    method="PATCH",
    summary="Save a draft",
    description=(
        "Makes a draft of the caller, or changes one. Only fields that are present change. The change is made only if "
        "expected_version is the stored one, or with merge where the fields sent have not changed since; otherwise the "
        "answer is 409 with the state that is stored, and nothing changes. A draft goes 90 days after its last change."
    ),
    request=PatchPersonaDraftRequest,
    response=PatchPersonaDraftResponse,
    errors=WRITE_ERRORS,
    writes=True,
    idempotent_header=True,
)
