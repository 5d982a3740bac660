"""The bodies of requests: JSON of a bounded size, declared as such or as nothing."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final, cast

import pydantic_core

from personas.errors import Fault, Invalid, NotJson, TooLarge, UnsupportedMediaType

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

JSON_TYPE: Final = "application/json"


def read_body(event: APIGatewayProxyEventV2, most: int) -> dict[str, object]:
    """Return the JSON object in a request's body; no body is an empty one.

    Raises:
        PersonasError: whatever ``read_json`` raises.
        Invalid: it is JSON, but not an object.
    """
    body = read_json(event, most)
    if not isinstance(body, dict):
        raise Invalid("The body must be a JSON object.", errors=[Fault("", "must be an object")])
    return body


def read_json(event: APIGatewayProxyEventV2, most: int) -> object:
    """Return the JSON in a request's body; no body is an empty object.

    Raises:
        UnsupportedMediaType: it is declared as something else.
        TooLarge: it has more than ``most`` bytes.
        NotJson: it is neither UTF-8 nor JSON.
    """
    sent = event.body or ""
    try:
        raw = base64.b64decode(sent, validate=True) if event.is_base64_encoded else sent.encode()
    except ValueError as error:
        raise NotJson("The body is neither UTF-8 nor base64 of it.") from error
    if len(raw) > most:
        raise TooLarge(f"The body has {len(raw)} bytes; at most {most} are read.")
    if not raw.strip():
        return {}
    media_type = event.headers.get("content-type", JSON_TYPE).partition(";")[0].strip().lower()
    if media_type != JSON_TYPE and not (media_type.startswith("application/") and media_type.endswith("+json")):
        raise UnsupportedMediaType("Send JSON, with the header Content-Type: application/json.")
    try:
        return cast("object", pydantic_core.from_json(raw, allow_inf_nan=False))
    except ValueError as error:
        raise NotJson(f"The body is not JSON: {error}.") from error
