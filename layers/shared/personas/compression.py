"""Answers in gzip, for who accepts it: transfer out of AWS is what a large answer costs most."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from typing import Final, cast

WORTH_IT: Final = 1_400
"""Answers below this many bytes fit into one packet anyway."""
_LEVEL: Final = 4
_GZIP: Final = 16 + zlib.MAX_WBITS


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding header offers gzip (RFC 9110, 12.5.3), and not with the weight 0."""
    for offer in accept_encoding.lower().split(","):
        coding, _, weight = offer.partition(";")
        if coding.strip() == "gzip":
            return not _is_zero(weight)
    return False


def compressed(answer: dict[str, object], headers: Mapping[str, str]) -> dict[str, object]:
    """An answer for API Gateway, its body in gzip where it is long and the request's lower-case headers accept that."""
    body = cast("str", answer.get("body") or "")
    if len(body) < WORTH_IT:
        return answer
    own = {**cast("dict[str, object]", answer.get("headers") or {}), "Vary": "Accept-Encoding"}
    if not accepts_gzip(headers.get("accept-encoding", "")):
        return {**answer, "headers": own}
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    packed = deflate.compress(body.encode()) + deflate.flush()
    return {
        **answer,
        "headers": {**own, "Content-Encoding": "gzip"},
        "body": base64.b64encode(packed).decode(),
        "isBase64Encoded": True,
    }


def _is_zero(weight: str) -> bool:
    name, _, value = weight.replace(" ", "").partition("=")
    return name == "q" and value.strip("0") in {"", "."}
