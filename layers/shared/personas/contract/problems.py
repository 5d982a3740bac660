"""Errors on the wire: the problem document, the fields at fault, and their making from pydantic's errors."""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

FAULTS_MAX: Final = 100
"""The most fields at fault that one answer names: a body of unknown fields alone must not be echoed whole."""
POINTER_PART_MAX: Final = 200
"""Characters of a name in a pointer. Longer ones, which only a caller can invent, are cut."""
OWN_FAULT: Final = "contract_"
"""The prefix of the types of this contract's own faults. Their messages hold nothing that a caller sent."""

_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")

_MESSAGES: Final[Mapping[str, str]] = {
    "missing": "is required",
    "extra_forbidden": "unknown field",
    "string_type": "must be a string",
    "string_unicode": "must not contain a lone surrogate (U+D800 to U+DFFF)",
    "int_type": "must be an integer",
    "int_parsing_size": "must be a smaller number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "dict_type": "must be an object",
}

_LIMIT_MESSAGES: Final[Mapping[str, str]] = {
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have at least {min_length} characters",
    "too_long": "must have at most {max_length} entries",
    "too_short": "must have at least {min_length} entries",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
}


class FieldError(BaseModel):
    """One field at fault and the reason."""

    model_config = ConfigDict(extra="forbid")

    field: Annotated[str, Field(description="The place of the fault: a JSON pointer (RFC 6901) into the request body.")]
    message: Annotated[str, Field(description="The reason, as a phrase on which a person can act.")]


class Problem(BaseModel):
    """The answer to every error: a problem document (RFC 9457).

    Its media type is `application/problem+json` if `Accept` names that, else `application/json`. The members after
    `errors` are there only if the kind of problem has them.
    """

    # Only documents and tests build it; the functions should not pay for it when they start.
    model_config = ConfigDict(extra="forbid", defer_build=True)

    type: Annotated[str, Field(description="A URI reference that names the kind of problem: always about:blank.")]
    title: Annotated[str, Field(description="The kind of problem in a few words.")]
    status: Annotated[int, Field(description="The HTTP status of this answer.", ge=400, le=599)]
    detail: Annotated[str, Field(description="The reason of this error, in words on which a person can act.")]
    code: Annotated[str, Field(description="The kind of problem for programs; it stays the same across releases.")]
    request_id: Annotated[str, Field(description="The id to quote when asking about this call.")]
    errors: Annotated[list[FieldError] | None, Field(description="The fields at fault, where fields are.")] = None
    results: Annotated[
        list[dict[str, object]] | None,
        Field(description="Bulk calls of which nothing was saved: the result of each item, in order."),
    ] = None
    conflicts: Annotated[
        list[dict[str, object]] | None,
        Field(description="Merges that failed: the fields that others have changed, each a FieldConflict."),
    ] = None
    draft_id: Annotated[str | None, Field(description="Draft conflicts: the draft.")] = None
    expected_version: Annotated[
        int | None, Field(description="Version conflicts: the version that the caller expected.")
    ] = None
    current_version: Annotated[int | None, Field(description="Version conflicts: the version that is stored.")] = None
    form_state: Annotated[
        dict[str, object] | None, Field(description="Draft conflicts: the stored state, a DraftFormState.")
    ] = None
    updated_at: Annotated[
        str | None,
        Field(
            description="Draft conflicts: when the draft was last written.", json_schema_extra={"format": "date-time"}
        ),
    ] = None
    differing_fields: Annotated[
        list[str] | None,
        Field(description="Draft conflicts: the fields of the patch whose stored value is another one."),
    ] = None

    def body(self) -> dict[str, object]:
        """Return the members to answer with, without absent ones; nulls inside a member, such as form_state, stay."""
        return {name: value for name, value in self.model_dump(mode="json").items() if value is not None}


def pointer(parts: Iterable[str | int]) -> str:
    """Return the JSON pointer (RFC 6901) to a place in a document, safe to send: cut, without control characters."""
    return "".join(f"/{_escaped(part)}" for part in parts)


def _escaped(part: str | int) -> str:
    cut = _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", str(part)[:POINTER_PART_MAX])
    return cut.replace("~", "~0").replace("/", "~1")


def field_errors(
    validation_errors: Iterable[Mapping[str, object]], prefix: str = "", *, skip: int = 0
) -> list[FieldError]:
    """Return the fields at fault according to pydantic, in words that never repeat what was sent, but for field names.

    ``validation_errors`` is the result of ``ValidationError.errors()``. ``prefix`` is the pointer to the value that was
    validated; ``skip`` leaves out that many leading steps which are not part of the document (Powertools puts "body"
    before every location). At most ``FAULTS_MAX`` are returned, each pair of field and message once.
    """
    found: dict[tuple[str, str], FieldError] = {}
    for error in validation_errors:
        loc = error["loc"]
        if not isinstance(loc, tuple | list):
            raise TypeError("a validation error's loc is a tuple")
        place = prefix + pointer(loc[skip:])
        message = _message(error)
        found.setdefault((place, message), FieldError(field=place, message=message))
        if len(found) == FAULTS_MAX:
            break
    return list(found.values())


def _message(error: Mapping[str, object]) -> str:
    kind = str(error["type"])
    if kind.startswith(OWN_FAULT):
        return str(error["msg"])
    if kind in _MESSAGES:
        return _MESSAGES[kind]
    context = error.get("ctx")
    if not isinstance(context, Mapping) or kind not in _LIMIT_MESSAGES:
        return "is not valid"
    if context.get("min_length") == 1:
        return "must not be empty"
    return _LIMIT_MESSAGES[kind].format_map(context)
