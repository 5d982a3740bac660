"""The fields that others have changed, which stand in the way of a merge."""

from typing import Annotated, Final

from pydantic import Field, ValidationError, WithJsonSchema
from pydantic_core import InitErrorDetails, PydanticCustomError

from personas.contract.base import SwitchOrOff, WireModel, WireTime
from personas.contract.field_values import ChangedBy, FieldValue
from personas.contract.persona_fields import FieldName

Merge = Annotated[
    SwitchOrOff,
    Field(
        description=(
            "True: a version later than expected_version is no conflict where none of the fields sent has changed "
            "since, or has the same value by now; all else stays as stored. It takes an expected_version."
        )
    ),
]

Merged = Annotated[
    bool | None,
    WithJsonSchema({"type": "boolean"}),
    Field(
        description="True where it was saved over a later version than the expected one; else absent.",
        exclude_if=lambda merged: merged is None,
    ),
]


class FieldConflict(WireModel):
    """A field that was sent and has changed since the expected version."""

    field: Annotated[FieldName, Field(description="The field.")]
    yours: Annotated[FieldValue, Field(description="The value that was sent: texts, and entries with their names.")]
    stored: Annotated[FieldValue, Field(description="The value that is stored.")]
    version: Annotated[int, Field(description="The version in which the field last changed.")]
    changed_by: Annotated[
        ChangedBy | None,
        Field(description="The profile that changed it; null for a tool, or where it was not recorded."),
    ] = None
    at: Annotated[WireTime | None, Field(description="The time of the change, where it is known.")] = None


MERGE_NEEDS_VERSION: Final = InitErrorDetails(
    type=PydanticCustomError("contract_merge", "is needed where merge is true"), loc=("expected_version",), input=None
)


def check_merge(title: str, merge: bool, expected_version: int | None) -> None:
    """Ensure that what is to be merged says which version it knows.

    Raises:
        ValidationError: it does not; ``title`` is the model's name.
    """
    if merge and expected_version is None:
        raise ValidationError.from_exception_data(title, [MERGE_NEEDS_VERSION])
