"""The official conformance suite of the Model Context Protocol against the local service, in each revision.

The suite tests servers with example tools, prompts and resources of given names, and then everything that it has. Here
a server is tested that has its own: what needs no example has to pass, and the rest is named below, with the reason.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from personas.contract.mcp import REVISIONS
from support.programs import MODULES, NODE, output, run
from support.tap import Tap, tapping

SUITE: Final = MODULES / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"

APPLY: Final = {
    "server-initialize",
    "server-session-lifecycle",
    "server-stateless",
    "ping",
    "tools-list",
    "prompts-list",
    "resources-list",
    "sep-2164-resource-not-found",
    "dns-rebinding-protection",
    "caching",
    "http-header-validation",
    "server-sse-multiple-streams",
    "input-required-result-unsupported-methods",
}
"""The scenarios that need no example. docs/mcp.md says which of them there are in which revision."""

_TOOL: Final = "needs an example tool"
_PROMPT: Final = "needs an example prompt"
_RESOURCE: Final = "needs an example resource"
_ASKS: Final = "needs an example that asks its caller for input; no tool here does"
_NO_LOGGING: Final = "this server declares no logging"
_NO_SUBSCRIPTIONS: Final = "this server declares no subscriptions: it keeps no session, and answers in JSON alone"
_EXTENSION: Final = "an extension that this server does not declare"

DO_NOT_APPLY: Final[Mapping[str, str]] = {
    "logging-set-level": _NO_LOGGING,
    "tools-call-with-logging": _NO_LOGGING,
    "completion-complete": _PROMPT,
    "tools-call-simple-text": _TOOL,
    "tools-call-image": _TOOL,
    "tools-call-audio": _TOOL,
    "tools-call-embedded-resource": _TOOL,
    "tools-call-mixed-content": _TOOL,
    "tools-call-error": _TOOL,
    "tools-call-with-progress": _TOOL,
    "json-schema-2020-12": _TOOL,
    "http-custom-header-server-validation": "needs an example tool with headers of its own (x-mcp-header)",
    "tools-call-sampling": _ASKS,
    "tools-call-elicitation": _ASKS,
    "elicitation-sep1034-defaults": _ASKS,
    "elicitation-sep1330-enums": _ASKS,
    **{
        f"input-required-result-{each}": _ASKS
        for each in (
            "basic-elicitation",
            "basic-sampling",
            "basic-list-roots",
            "request-state",
            "multiple-input-requests",
            "multi-round",
            "missing-input-response",
            "non-tool-request",
            "result-type",
            "tampered-state",
            "capability-check",
            "ignore-extra-params",
            "validate-input",
        )
    },
    "server-sse-polling": "needs an example tool, and a stream of events to take up again",
    "resources-read-text": _RESOURCE,
    "resources-read-binary": _RESOURCE,
    "resources-templates-read": _RESOURCE,
    "resources-subscribe": _NO_SUBSCRIPTIONS,
    "resources-unsubscribe": _NO_SUBSCRIPTIONS,
    "prompts-get-simple": _PROMPT,
    "prompts-get-with-args": _PROMPT,
    "prompts-get-embedded-resource": _PROMPT,
    "prompts-get-with-image": _PROMPT,
    **{f"sep-2640-skills-{each}": _EXTENSION for each in ("directory", "enumeration", "manifest")},
    **{
        f"tasks-{each}": _EXTENSION
        for each in (
            "lifecycle",
            "capability-negotiation",
            "wire-fields",
            "request-state-removal",
            "mrtr-input",
            "request-headers",
            "dispatch-and-envelope",
            "status-notifications",
            "required-task-error",
            "mrtr-composition",
        )
    },
}
"""The other scenarios, each with its reason. Their messages have to be answered by the protocol's errors, too."""

CHECKS_THAT_DO_NOT_APPLY: Final[Mapping[str, str]] = {
    "sep-2575-server-rejects-undeclared-capability": "needs the example tool test_missing_capability",
    "sep-2575-missing-capability-http-400": "needs the example tool test_missing_capability",
    "sep-2575-http-server-no-independent-requests-on-stream": "needs the example tool test_streaming_elicitation",
    "sep-2575-server-no-log-without-loglevel": "needs the example tool test_logging_tool",
    "server-sse-multiple-streams-session": "warns of a server without sessions, which the protocol allows",
}
"""The checks of scenarios that apply which do not, each with its reason."""

VALID: Final = "wire-schema-valid"
"""The check that every message of the server is valid by the schema of its revision."""
PASSED: Final = {"SUCCESS", "INFO", "SKIPPED"}

type Check = Mapping[str, Any]

pytestmark = [pytest.mark.clients, pytest.mark.emulator]


@pytest.fixture(scope="module")
def tap(service: tuple[str, str]) -> Iterator[Tap]:
    """Add the key that the suite does not send; Host and Origin stay as they come."""
    address, key = service
    with tapping(int(address.rpartition(":")[2]), {"X-Api-Key": key}) as tap:
        yield tap


def scenarios() -> dict[str, list[str]]:
    """Return the scenarios of the suite that test a server, with the revisions that have them."""
    listed = run(NODE, SUITE, "list", "--server", cwd=MODULES)
    found = {name: tags.split(",") for name, tags in re.findall(r"^  - (\S+) \[(.*)\]$", listed, re.MULTILINE)}
    assert found, listed
    return found


def checks(port: int, revision: str, folder: Path) -> dict[str, list[Check]]:
    """Return what the suite found out in each scenario of a revision."""
    address = f"http://127.0.0.1:{port}/mcp"
    asked = ("--url", address, "--suite", "all", "--spec-version", revision, "--output-dir", folder)
    _, printed = output(NODE, SUITE, "server", *asked, cwd=folder)
    found = {}
    for file in folder.rglob("checks.json"):
        named = re.fullmatch(r"server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z", file.parent.name)
        assert named, file
        found[named[1]] = json.loads(file.read_text())
    assert found, printed
    return found


def test_every_scenario_is_known() -> None:
    assert scenarios().keys() == APPLY | DO_NOT_APPLY.keys()


@pytest.mark.parametrize("revision", REVISIONS)
def test_what_needs_no_example_passes(tap: Tap, revision: str, tmp_path: Path) -> None:
    # When the suite has tested all that it has in a revision
    found = checks(tap.port, revision, tmp_path)

    # Then each scenario was run,
    assert found.keys() == {name for name, revisions in scenarios().items() if revision in revisions}
    # no check of those that apply has failed,
    assert [
        (name, check["id"], check.get("errorMessage"))
        for name in found.keys() & APPLY
        for check in found[name]
        if check["status"] not in PASSED and check["id"] not in CHECKS_THAT_DO_NOT_APPLY
    ] == []
    # and in any of them all messages were valid, and nothing was a defect.
    assert {check["status"] for each in found.values() for check in each if check["id"] == VALID} == {"SUCCESS"}
    assert max(each.status for each in tap.exchanges) < 500
