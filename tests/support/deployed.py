"""template.yaml as SAM transforms it: what CloudFormation is given, with the roles and routes that SAM makes."""

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from personas_tools.template_nodes import Node, TemplateError

ROOT: Final = Path(__file__).parents[2]
SAM_PYTHON: Final = ROOT / ".local/sam/bin/python"
_PLACE: Final = re.compile(r"\$\{([^!}][^}]*)\}")


@dataclass(frozen=True, slots=True)
class Deployed:
    """A transformed template."""

    document: Mapping[str, Node]

    @property
    def resources(self) -> dict[str, dict[str, Node]]:
        """All resources by logical id."""
        return {name: mapping(node) for name, node in mapping(self.document["Resources"]).items()}

    def of_type(self, kind: str) -> dict[str, dict[str, Node]]:
        """Return the properties of all resources of that type, by logical id."""
        return {
            name: mapping(resource.get("Properties", {}))
            for name, resource in self.resources.items()
            if resource["Type"] == kind
        }

    def type_of(self, logical_id: str) -> str | None:
        """Return the type of a resource, or None if there is no such resource."""
        resource = self.resources.get(logical_id)
        return None if resource is None else str(resource["Type"])

    @property
    def functions(self) -> dict[str, dict[str, Node]]:
        """The properties of the functions, by logical id."""
        return self.of_type("AWS::Lambda::Function")

    def behind(self, logical_id: str | None) -> str | None:
        """Return the function that an alias leads to; what is no alias stands for itself."""
        alias = self.of_type("AWS::Lambda::Alias").get(str(logical_id))
        return target(alias["FunctionName"]) if alias else logical_id


def transform(documents: Sequence[Mapping[str, Node]]) -> list[Deployed | str]:
    """Return each template as SAM transforms it, or SAM's error; one process serves all, for it starts slowly.

    Raises:
        AssertionError: SAM is not installed, or fails over something else than the template.
    """
    assert SAM_PYTHON.exists(), "SAM is not installed: make setup"
    done = subprocess.run(
        [str(SAM_PYTHON), str(ROOT / "tools/personas_tools/transform.py")],
        input=json.dumps(documents),
        env={"PATH": os.environ["PATH"], "AWS_DEFAULT_REGION": "eu-central-1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    results: list[dict[str, dict[str, Node] | str]] = json.loads(done.stdout)
    return [
        Deployed(found) if isinstance(found := result.get("template"), dict) else str(result["error"])
        for result in results
    ]


def mapping(node: Node) -> dict[str, Node]:
    """Return the node as a mapping.

    Raises:
        TemplateError: the node is not a mapping.
    """
    if not isinstance(node, dict):
        raise TemplateError(f"a mapping is expected, not {node!r}")
    return node


def items(node: Node) -> list[Node]:
    """Return the node as a list; a single value stands for a list of one, as it does for CloudFormation."""
    return node if isinstance(node, list) else [] if node is None else [node]


def target(node: Node) -> str | None:
    """Return the logical id to which a Ref, or a GetAtt of an ARN, leads."""
    match node:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), "Arn"]}:
            return name
    return None


def references(node: Node | Mapping[str, Node]) -> Iterator[str]:
    """Yield the logical ids and parameters to which a part of a template refers."""
    if isinstance(node, list):
        for inner in node:
            yield from references(inner)
    if not isinstance(node, Mapping):
        return
    for name, inner in node.items():
        match name, inner:
            case "Ref", str():
                yield inner
            case "Fn::GetAtt", [str(logical_id), *_]:
                yield logical_id
            case "Fn::Sub", str():
                yield from (place.partition(".")[0] for place in _PLACE.findall(inner))
            case "Fn::Sub", [str(text), dict(own)]:
                places = (place.partition(".")[0] for place in _PLACE.findall(text))
                yield from (place for place in places if place not in own)
                yield from references(own)
            case _:
                yield from references(inner)
