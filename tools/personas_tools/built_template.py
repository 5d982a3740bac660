"""The template that `sam build` wrote beside the code, held to what that code is."""

from pathlib import Path

import yaml


def pin_architecture(path: Path, architecture: str) -> None:
    """Let the template at ``path`` be deployed for ``architecture`` alone, which the code beside it was built for.

    CloudFormation refuses another value before it touches anything, also one that the stack had before.
    """
    template = yaml.safe_load(path.read_text(encoding="utf-8"))
    template["Parameters"]["Architecture"] |= {"Default": architecture, "AllowedValues": [architecture]}
    path.write_text(yaml.safe_dump(template, sort_keys=False), encoding="utf-8")


def stamp(path: Path, release: str) -> None:
    """Let every function of the template at ``path`` publish a version for ``release``, which describes it.

    Without it SAM publishes one where a property or the layer changes, and does not look at the values of parameters.
    A release has ten letters and digits or more; SAM compares the first ten.
    """
    template = yaml.safe_load(path.read_text(encoding="utf-8"))
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["AutoPublishCodeSha256"] = release
    path.write_text(yaml.safe_dump(template, sort_keys=False), encoding="utf-8")
