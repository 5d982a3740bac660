"""Answers in gzip, for who accepts it: transfer out of AWS is what a large answer costs most."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from typing import Final, cast

from personas.negotiation import names

WORTH_IT: Final = 1_400
"""Answers below this many bytes fit into one packet anyway."""
_LEVEL: Final = 4
_GZIP: Final = 16 + zlib.MAX_WBITS


def compressed(answer: dict[str, object], headers: Mapping[str, str]) -> dict[str, object]:
    """An answer for API Gateway, its body in gzip where it is long and the request's lower-case headers accept that."""
    body = cast("str", answer.get("body") or "")
    if len(body) < WORTH_IT or not names(headers.get("accept-encoding", ""), "gzip"):
        return answer
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    packed = deflate.compress(body.encode()) + deflate.flush()
    return {
        **answer,
        "headers": {**cast("dict[str, object]", answer.get("headers") or {}), "Content-Encoding": "gzip"},
        "body": base64.b64encode(packed).decode(),
        "isBase64Encoded": True,
    }
