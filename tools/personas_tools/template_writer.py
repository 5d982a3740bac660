"""YAML as people write a template: CloudFormation's functions in their short forms, few lines, nothing by reference."""

import re
import sys
import textwrap
from collections.abc import Mapping
from typing import Final

import yaml

from personas_tools.template_nodes import Node

_QUOTED: Final = re.compile(r"(!(?:Ref|GetAtt)) '([\w:.]+)'")
"""A name in quotes that it does not need; YAML's writer sets them at every tag."""
_SHORT: Final = {"Ref": "!Ref", "Fn::GetAtt": "!GetAtt", "Fn::If": "!If", "Fn::Sub": "!Sub"}


class _Dumper(yaml.SafeDumper):
    """YAML as people write it: CloudFormation's functions in their short forms, nothing by reference."""

    def ignore_aliases(self, _data: object) -> bool:
        """Write out what stands in two places."""
        return True


def block(node: Node, depth: int) -> str:
    """Return a part of the template, its mappings and lists down to ``depth`` in lines of their own."""
    if isinstance(node, dict) and depth and not _is_function(node):
        return "\n".join(f"{name}:{_inner(inner, depth - 1)}" for name, inner in node.items())
    text = yaml.dump(node, Dumper=_Dumper, default_flow_style=True, sort_keys=False, width=sys.maxsize)
    return _QUOTED.sub(r"\1 \2", str(text)).removesuffix("...\n").rstrip()


def _inner(node: Node, depth: int) -> str:
    if isinstance(node, list) and len(node) > 1:
        return "".join(f"\n  - {block(item, 0)}" for item in node)
    if isinstance(node, dict) and depth and not _is_function(node):
        return "\n" + textwrap.indent(block(node, depth), "  ")
    return f" {block(node, 0)}"


def _is_function(node: Mapping[str, Node]) -> bool:
    return len(node) == 1 and next(iter(node)) in _SHORT


def _represent(dumper: _Dumper, node: dict[str, Node]) -> yaml.Node:
    if not _is_function(node):
        return dumper.represent_dict(node)
    ((name, argument),) = node.items()
    if name == "Fn::GetAtt" and isinstance(argument, list):
        argument = ".".join(map(str, argument))
    if isinstance(argument, list):
        return dumper.represent_sequence(_SHORT[name], argument, flow_style=True)
    text = str(argument)
    style = "|" if "\n" in text else '"' if "$" in text else None
    return dumper.represent_scalar(_SHORT[name], text, style)


_Dumper.add_representer(dict, _represent)
