"""The parts of a template, each read as the kind of value that it has to be.

A part of another kind is refused with a ``TemplateError`` that names its place.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

type Node = str | int | float | bool | list[Node] | dict[str, Node] | None
"""A part of the template; the short forms of functions (``!Ref x``) are spelt out (``{"Ref": "x"}``)."""

_PSEUDO_PARAMETERS: Final = {"AWS::StackName": "personas"}
"""The values of pseudo parameters where there is no stack."""


class TemplateError(Exception):
    """The template lacks something, or says it in a way that this module does not read; the message says where."""


@dataclass(frozen=True, slots=True)
class Ref:
    """A value that only a stack knows: what ``Ref`` of a resource gives, such as the name of a table."""

    logical_id: str


def of_type(template: Mapping[str, Node], kind: str) -> dict[str, dict[str, Node]]:
    """Return the properties of the resources of a type, by logical id."""
    resources = as_mapping(template.get("Resources"), "Resources")
    found = {}
    for logical_id, node in resources.items():
        resource = as_mapping(node, logical_id)
        if resource.get("Type") == kind:
            found[logical_id] = as_mapping(resource.get("Properties"), f"{logical_id}.Properties")
    return found


def condition_of(template: Mapping[str, Node], logical_id: str) -> str | None:
    """Return the condition on which a resource is there, or None where it always is."""
    resource = as_mapping(as_mapping(template.get("Resources"), "Resources").get(logical_id), logical_id)
    return text_in(resource, "Condition", logical_id) if "Condition" in resource else None


def defaults_of(template: Mapping[str, Node]) -> dict[str, str | None]:
    """Return the defaults of the parameters, None where one has none."""
    parameters = as_mapping(template.get("Parameters") or {}, "Parameters")
    result: dict[str, str | None] = dict(_PSEUDO_PARAMETERS)
    for name, node in parameters.items():
        default = as_mapping(node, name).get("Default")
        result[name] = None if default is None else str(default)
    return result


def value_of(node: Node, defaults: Mapping[str, str | None], where: str) -> str | Ref:
    """Return a value as a text: itself, or the default of the parameter that it refers to; else a ``Ref``.

    A list parameter stands in its default as commas join it.
    """
    if isinstance(node, str | int | float):
        return str(node)
    match node:
        case {"Fn::Join": [",", {"Ref": _} as listed]}:
            return value_of(listed, defaults, where)
    name = node.get("Ref") if isinstance(node, dict) else None
    if not isinstance(name, str):
        raise TemplateError(f"{where} is neither a text nor a Ref")
    if name not in defaults:
        return Ref(name)
    default = defaults[name]
    if default is None:
        raise TemplateError(f"{where}: the parameter {name} has no default")
    return default


def as_mapping(node: Node, where: str) -> dict[str, Node]:
    """Return a mapping."""
    if not isinstance(node, dict):
        raise TemplateError(f"{where} is missing or not a mapping")
    return node


def as_list(node: Node, where: str) -> list[Node]:
    """Return a list."""
    if not isinstance(node, list):
        raise TemplateError(f"{where} is missing or not a list")
    return node


def text_in(properties: Mapping[str, Node], name: str, where: str) -> str:
    """Return a property that is a text."""
    value = properties.get(name)
    if not isinstance(value, str):
        raise TemplateError(f"{where}.{name} is missing or not a text")
    return value


def integer_in(properties: Mapping[str, Node], name: str, where: str) -> int:
    """Return a property that is a whole number."""
    value = properties.get(name)
    if not isinstance(value, int):
        raise TemplateError(f"{where}.{name} is missing or not a whole number")
    return value


def words_in(
    properties: Mapping[str, Node], name: str, where: str, defaults: Mapping[str, str | None] | None = None
) -> tuple[str, ...]:
    """Return a list of texts, or the default of the list parameter that stands in its place."""
    node = properties.get(name)
    if isinstance(node, dict):
        value = value_of(node, defaults or {}, f"{where}.{name}")
        if isinstance(value, Ref):
            raise TemplateError(f"{where}.{name} refers to {value.logical_id}, which is not a parameter")
        return tuple(word.strip() for word in value.split(",") if word.strip())
    words = as_list(node, f"{where}.{name}")
    if not all(isinstance(word, str) for word in words):
        raise TemplateError(f"{where}.{name} holds something else than texts")
    return tuple(cast("list[str]", words))
