"""The names of copies."""

from personas.contract.base import NAME_MAX


def copy_name(name: str, number: int) -> str:
    """Return the name of a copy: "<name> Copy", then "<name> Copy 2"; the name is cut so that all of it fits."""
    suffix = " Copy" if number == 1 else f" Copy {number}"
    return name[: NAME_MAX - len(suffix)].rstrip() + suffix
