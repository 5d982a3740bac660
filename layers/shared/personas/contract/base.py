"""The classes that every model of the contract derives from."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

GROUP_ID = "group_id"

# Any JSON value passes: the group is the caller's own, whatever is written here.
IgnoredGroup = Annotated[
    object,
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "null"}], "deprecated": True}),
]


class WireModel(BaseModel):
    """A part of an answer. A field that it does not have is an error of ours and fails where it is built.

    Every field is sent, null or not, so the schema of an answer requires each of them.
    """

    model_config = ConfigDict(extra="forbid", json_schema_serialization_defaults_required=True)


class ReadRequest(BaseModel):
    """The body of an operation that only reads: fields it does not know are passed over."""

    model_config = ConfigDict(extra="ignore")


class Written(BaseModel):
    """A body or item that a caller wants to save: an unknown field is refused by name, never dropped in silence."""

    model_config = ConfigDict(extra="forbid")

    @property
    def given(self) -> frozenset[str]:
        """The names of the fields that the caller sent, those sent as null among them."""
        return frozenset(self.model_fields_set - {GROUP_ID})


class WriteRequest(Written):
    """The body of an operation that saves something."""

    group_id: Annotated[
        IgnoredGroup,
        Field(exclude=True, description="Taken for the sake of existing clients and ignored: the key says the group."),
    ] = None


class WriteItem(Written):
    """One entry of a body that saves several things at once."""

    # Accepted as in the body around it, but no part of the item's published shape.
    group_id: SkipJsonSchema[Annotated[IgnoredGroup, Field(exclude=True)]] = None
