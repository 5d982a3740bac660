"""The template that `sam build` wrote beside the code, held to what that code is."""

from pathlib import Path
from typing import Final

import yaml

NAME: Final = "template.yaml"


def pin_architecture(build: Path, architecture: str) -> None:
    """Let the template be deployed for ``architecture`` alone, which the code below ``build`` was built for.

    CloudFormation refuses another value before it touches anything, also one that the stack had before.
    """
    path = build / NAME
    template = yaml.safe_load(path.read_text(encoding="utf-8"))
    template["Parameters"]["Architecture"] |= {"Default": architecture, "AllowedValues": [architecture]}
    path.write_text(yaml.safe_dump(template, sort_keys=False), encoding="utf-8")
