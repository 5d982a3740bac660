"""The media types and codings that a request accepts (RFC 9110, 12.5)."""

from typing import Final

VARY: Final = "Accept, Accept-Encoding"
"""The headers that an answer may depend on."""


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
