"""Content negotiation (RFC 9110, 12.5): the media types and codings that a request accepts, and answers in gzip."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Final, cast

from isal import isal_zlib

VARY: Final = "Accept, Accept-Encoding"
"""The headers that an answer may depend on."""
WORTH_IT: Final = 1_400
"""Bytes of an answer; a shorter one fits into one packet anyway."""
_GZIP: Final = 16 + isal_zlib.MAX_WBITS


def names(header: str, *options: str) -> bool:
    """Tell whether an Accept or Accept-Encoding header names one of these, and not with the weight 0.

    ``options`` are in lower case, the most specific first: the first one that the header names decides.
    """
    offers = {}
    for offer in header.lower().split(","):
        name, *parameters = offer.split(";")
        offers[name.strip()] = not any(map(_is_zero, parameters))
    return next((offers[option] for option in options if option in offers), False)


def _is_zero(parameter: str) -> bool:
    name, _, value = parameter.replace(" ", "").partition("=")
    return name == "q" and value.strip("0") in {"", "."}


def compressed(answer: dict[str, object], headers: Mapping[str, str]) -> dict[str, object]:
    """Return an answer for API Gateway, its body in gzip where it is long and the lower-case ``headers`` accept that.

    Transfer out of AWS is the largest part of what a large answer costs.
    """
    body = cast("str", answer.get("body") or "")
    if len(body) < WORTH_IT or not names(headers.get("accept-encoding", ""), "gzip"):
        return answer
    packed = isal_zlib.compress(body.encode(), wbits=_GZIP)
    return {
        **answer,
        "headers": {**cast("dict[str, object]", answer.get("headers") or {}), "Content-Encoding": "gzip"},
        "body": base64.b64encode(packed).decode(),
        "isBase64Encoded": True,
    }
