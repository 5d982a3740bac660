"""The CORS headers of an HTTP API: what its gateway adds to answers, and what it answers to preflight requests."""

import re
from dataclasses import replace
from typing import Final

from personas_tools.template import Cors

_LOOPBACK: Final = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")


def cors_headers(cors: Cors, origin: str | None) -> dict[str, str]:
    """Return the headers that the gateway adds for a request from ``origin``; none if that may not call."""
    if origin is None:
        return {}
    if "*" in cors.allow_origins:
        headers = {"access-control-allow-origin": "*"}
    elif origin in cors.allow_origins or f"{origin.partition('://')[0]}://*" in cors.allow_origins:
        headers = {"access-control-allow-origin": origin}
    else:
        return {}
    if cors.expose_headers:
        headers["access-control-expose-headers"] = ",".join(cors.expose_headers)
    return headers


def with_loopback(cors: Cors, origin: str | None) -> Cors:
    """Return the settings by which a page that this machine serves itself, on any port, may call as well."""
    if origin is None or not _LOOPBACK.fullmatch(origin):
        return cors
    return replace(cors, allow_origins=(*cors.allow_origins, origin))


def preflight_headers(cors: Cors, origin: str) -> dict[str, str]:
    """Return the headers of the answer to a preflight request from ``origin``; none if it may not call."""
    headers = cors_headers(cors, origin)
    if headers:
        headers["access-control-max-age"] = str(cors.max_age)
        for name, values in (("methods", cors.allow_methods), ("headers", cors.allow_headers)):
            if values:
                headers[f"access-control-allow-{name}"] = ",".join(values)
    return headers
