"""The licences of what ships, and a bill of materials that names them.

uv writes the bill from the lock file, with the hash of every file that it may install; it knows no licences. Those are
in the metadata of the packages, which the development environment has in the same versions.
"""

import json
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageMetadata, metadata
from typing import Any, Final, cast

ALLOWED: Final = frozenset({"Apache-2.0", "Apache-2.0 OR BSD-3-Clause", "BSD-3-Clause", "MIT", "MIT-0", "PSF-2.0"})
"""The licences of what may ship (SPDX): those that ask for their own text to come along, and nothing else."""


class LicenceError(Exception):
    """A package ships under a licence that is not allowed, or that it does not name."""


def licence_of(package: str) -> str:
    """Return the licence of an installed package, an SPDX expression.

    Raises:
        PackageNotFoundError: it is not installed.
        LicenceError: its metadata name none, or one that is not allowed.
    """
    return allowed(package, metadata(package))


def allowed(package: str, described: PackageMetadata) -> str:
    """Return the licence that a package's metadata name.

    Raises:
        LicenceError: they name none, or one that is not allowed.
    """
    # Older packages write it into License, where others keep the whole text.
    named = described.get("License-Expression") or described.get("License") or "none"
    if named not in ALLOWED:
        raise LicenceError(f"{package} ships under a licence that is not in the list: {named[:80]}")
    return named


def with_licences(bill: Mapping[str, Any]) -> dict[str, Any]:
    """Return a CycloneDX document with the licence of every component, each an installed package.

    Raises:
        LicenceError: one ships under a licence that is not allowed.
    """
    components = cast("Iterable[Mapping[str, Any]]", bill["components"])
    licensed = [{**each, "licenses": [{"expression": licence_of(each["name"])}]} for each in components]
    return {**bill, "components": licensed}


if __name__ == "__main__":
    json.dump(with_licences(json.load(sys.stdin)), sys.stdout, indent=1)
