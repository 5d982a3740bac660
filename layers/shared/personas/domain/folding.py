"""The one folding under which texts are compared, sorted and searched without regard to case or width."""

from collections.abc import Collection
from unicodedata import normalize


def fold(text: str) -> str:
    """Return the form of a text in which two texts are compared: NFKC(casefold(NFKC(text))).

    The inner normalisation makes characters comparable that only look different to casefold (full-width letters,
    ligatures); the outer one composes again what casefold took apart. Folding works character by character between the
    places where a composition may start, so folding a text joined by a separator that composes with nothing (NUL) is
    the same as joining the folded parts.
    """
    if text.isascii():
        return text.lower()  # the same, and most names are
    return normalize("NFKC", normalize("NFKC", text).casefold())


def fold_all(texts: Collection[str]) -> list[str]:
    """Return each of the texts folded: all in one go, which is several times as fast."""
    folded = fold("\0".join(texts)).split("\0")
    # Texts that contain a NUL themselves come apart.
    return folded if len(folded) == len(texts) else list(map(fold, texts))
