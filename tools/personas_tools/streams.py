"""The streams of tables, read as Lambda reads them for a function."""

from collections.abc import Mapping

from personas_tools.template_nodes import Node


def matches(pattern: Node, record: object) -> bool:
    """Tell whether a record passes a filter pattern, of which prefixes and equal values are known.

    Raises:
        ValueError: the pattern says something else.
    """
    match pattern:
        case dict():
            return all(
                isinstance(record, Mapping) and matches(part, record.get(name)) for name, part in pattern.items()
            )
        case list():
            return any(_is(each, record) for each in pattern)
    raise ValueError(f"{pattern} is no pattern")


def _is(rule: Node, value: object) -> bool:
    match rule:
        case {"prefix": str(prefix)}:
            return isinstance(value, str) and value.startswith(prefix)
        case str():
            return value == rule
    raise ValueError(f"{rule} is no rule that is known")
