"""The page to read and try the API on: Swagger UI over docs/openapi.json, all of it served from this machine."""

from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from personas_tools.openapi import DOCUMENT
from personas_tools.payload import Response

FOLDER: Final = "/reference"
"""Below it lie the page's own parts."""

_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
}
_OWN: Final = ("page.css", "page.js")
_SWAGGER_UI: Final = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")

# Nothing may come from elsewhere, and no key go there. Swagger UI styles elements in place and draws with data: URLs.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self' {store}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def pages(store: str) -> dict[str, Response]:
    """Return the answers to GET by path: the page at ``/``, its parts, and the document that it shows.

    ``store`` is the address of the local bucket, to which a download leads; no other than it and its own may be asked.

    Raises:
        FileNotFoundError: the package with Swagger UI is not installed, or has other files.
    """
    own = files(__name__)
    policy = _POLICY.format(store=store)
    return {
        "/": _response("index.html", own.joinpath("index.html").read_bytes(), policy),
        "/openapi.json": _response(DOCUMENT.name, DOCUMENT.read_bytes(), policy),
        **{f"{FOLDER}/{name}": _response(name, own.joinpath(name).read_bytes(), policy) for name in _OWN},
        **{f"{FOLDER}/{name}": _response(name, (_swagger_ui() / name).read_bytes(), policy) for name in _SWAGGER_UI},
    }


def _swagger_ui() -> Path:
    """Return the folder of Swagger UI. The package is not imported: its code wants Flask, which is not installed."""
    spec = find_spec("flask_swagger_ui")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("flask-swagger-ui is not installed")
    return Path(spec.submodule_search_locations[0]) / "dist"


def _response(name: str, content: bytes, policy: str) -> Response:
    headers = {
        "content-type": _TYPES[Path(name).suffix],
        "content-security-policy": policy,
        "cache-control": "no-cache",
        "x-content-type-options": "nosniff",
    }
    return Response(200, headers, content)
