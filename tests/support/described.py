"""docs/openapi.json, to hold requests and answers against."""

import json
import re
from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final

import jsonschema_rs

PATH: Final = Path(__file__).parents[2] / "docs" / "openapi.json"


class Described:
    """An OpenAPI document that reports faults as sentences; an empty list means that there are none."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self._validators: dict[str, jsonschema_rs.Draft202012Validator] = {}

    @cached_property
    def operations(self) -> Mapping[str, Mapping[str, Any]]:
        """All operations by their ids."""
        return {
            operation["operationId"]: operation
            for methods in self.document["paths"].values()
            for operation in methods.values()
        }

    def operation(self, method: str, path: str) -> Mapping[str, Any] | None:
        """Return the operation behind a request line, or None."""
        for template, methods in self.document["paths"].items():
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
                found: Mapping[str, Any] | None = methods.get(method.lower())
                return found
        return None

    def request_faults(self, method: str, path: str, headers: Mapping[str, str], body: str) -> list[str]:
        """Return the faults of a request: the parts that are not as described."""
        operation = self.operation(method, path)
        if operation is None:
            return [f"{method} {path} is not described"]
        sent = {name.lower(): value for name, value in headers.items()}
        faults = []
        for parameter in map(self._resolved, operation["parameters"]):
            value = sent.get(parameter["name"].lower())
            if parameter["in"] == "header" and value is not None:
                faults += self._faults(parameter["schema"], value, parameter["name"])
        described = operation.get("requestBody")
        if described and (body or described["required"]):
            faults += self._content_faults(described["content"], sent.get("content-type", ""), body)
        return faults

    def answer_faults(self, method: str, path: str, status: int, headers: Mapping[str, str], body: str) -> list[str]:
        """Return the faults of an answer: the parts that are not as described."""
        operation = self.operation(method, path)
        if operation is None:
            return [f"{method} {path} is not described"]
        described = operation["responses"].get(str(status))
        if described is None:
            return [f"{operation['operationId']} is not said to answer {status}"]
        got = {name.lower(): value for name, value in headers.items()}
        faults = []
        for name, reference in described["headers"].items():
            header = self._resolved(reference)
            if name.lower() in got:
                faults += self._faults(header["schema"], got[name.lower()], name)
            elif header.get("required"):
                faults.append(f"{name} is missing")
        told = {"etag", "idempotent-replayed", "retry-after", "www-authenticate", "location"} & got.keys()
        faults += [f"{name} is not described" for name in told - {name.lower() for name in described["headers"]}]
        if "content" in described:
            faults += self._content_faults(described["content"], got.get("content-type", ""), body)
        if "x-codes" in described and isinstance(problem := json.loads(body), dict) and "code" in problem:
            faults += [f"status is {problem.get('status')}"] if problem.get("status") != status else []
            faults += (
                [f"code {problem['code']} is not described"] if problem["code"] not in described["x-codes"] else []
            )
        return faults

    def schema_faults(self, schema: Mapping[str, Any], value: object) -> list[str]:
        """Return the faults of a value: the parts that a schema of the document does not allow."""
        return self._faults(schema, value, "value")

    def _content_faults(self, content: Mapping[str, Any], content_type: str, body: str) -> list[str]:
        media_type = content_type.partition(";")[0]
        if media_type not in content:
            return [f"{media_type or 'no media type'} is not one of {', '.join(content)}"]
        return self._faults(content[media_type]["schema"], json.loads(body), "body")

    def _faults(self, schema: Mapping[str, Any], value: object, what: str) -> list[str]:
        key = json.dumps(schema)
        if key not in self._validators:
            whole = {**schema, "components": self.document["components"]}
            self._validators[key] = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
        errors = self._validators[key].iter_errors(value)
        return [f"{what} at /{'/'.join(map(str, error.instance_path))}: {error.message[:300]}" for error in errors]

    def _resolved(self, part: Mapping[str, Any]) -> Mapping[str, Any]:
        if "$ref" not in part:
            return part
        found: Any = self.document
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        resolved: Mapping[str, Any] = found
        return resolved


@cache
def described() -> Described:
    """Return the OpenAPI document of this checkout."""
    return Described(json.loads(PATH.read_text(encoding="utf-8")))
