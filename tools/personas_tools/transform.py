"""SAM's transformation of templates: JSON in, JSON out, run by the environment that holds SAM (.local/sam).

Standard input is a list of templates with CloudFormation's functions spelt out; standard output a list of what becomes
of each: the transformed template under "template", or why it cannot be transformed under "error".
"""

import json
import sys
from typing import Any

from samtranslator.model.exceptions import InvalidDocumentException  # type: ignore[import-not-found]  # lies in .local/sam
from samtranslator.translator.transform import transform  # type: ignore[import-not-found]  # the same


class _NoManagedPolicies:
    """Policies are literal: a name of one managed by AWS is looked up nowhere."""

    def load(self) -> dict[str, str]:
        """Return no policy."""
        return {}


def transformed(document: dict[str, Any]) -> dict[str, object]:
    """Transform one template, with local folders as if they had been uploaded to a bucket."""
    for resource in document["Resources"].values():
        properties = resource.get("Properties", {})
        for name in ("CodeUri", "ContentUri"):
            if name in properties:
                properties[name] = f"s3://source/{properties[name]}"
    try:
        return {"template": transform(document, _values(document["Parameters"]), _NoManagedPolicies())}
    except InvalidDocumentException as error:
        return {"error": "; ".join(str(cause.message) for cause in error.causes)}


def _values(parameters: dict[str, dict[str, Any]]) -> dict[str, object]:
    """Return the parameters' defaults; a list, which SAM may put in the place of its Ref, names its parameter."""
    lists: dict[str, object] = {
        name: [f"of {name}"] for name, each in parameters.items() if each["Type"] == "CommaDelimitedList"
    }
    return {name: each["Default"] for name, each in parameters.items() if "Default" in each} | lists


if __name__ == "__main__":
    json.dump([transformed(document) for document in json.load(sys.stdin)], sys.stdout)
