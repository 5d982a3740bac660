"""The runbook has a section for every alarm, and names no other; what it tells to run exists, option by option."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import botocore.session
import click
import pytest
from botocore import xform_name
from botocore.exceptions import UnknownServiceError
from botocore.model import ServiceModel

from personas_tools import template
from personas_tools.template_nodes import of_type
from support.commands import every_command

ROOT = Path(__file__).parents[2]
RUNBOOK: Final = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
OF_EVERY_COMMAND: Final = frozenset({"cli-input-json", "output", "query", "region"})
BLOCKS: Final = "\n".join(re.findall(r"^```sh\n(.*?)^```", RUNBOOK, re.MULTILINE | re.DOTALL)).replace("\\\n", " ")
INLINE: Final = re.findall(
    r"`((?:aws|\.venv/bin/personas|personas|make)\s[^`]+)`", re.sub(r"```.*?```", "", RUNBOOK, flags=re.DOTALL)
)
STEPS: Final = "".join(
    (ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("runbook.md", "first-deployment.md")
)
QUERIES: Final = dict(
    re.findall(r"^\| ([^|`(]+?)(?: \(.*?\))? \| `(.+) \|$", RUNBOOK.partition("## Questions")[2], re.MULTILINE)
)
"""The queries of the logs by the question that each answers."""
COMMANDS: Final = [*BLOCKS.splitlines(), *(" ".join(each.split()) for each in INLINE)]


def told(pattern: str) -> Iterator[tuple[str, ...]]:
    """Yield the groups of a pattern wherever the runbook tells to run something."""
    for line in COMMANDS:
        for found in re.finditer(pattern, line):
            yield found.groups()


def aws_calls() -> list[tuple[str, str, str]]:
    """Return the calls of the AWS CLI: the service, the command, and the rest of the line up to the next one."""
    text = re.sub(r"\$\((?:out|status) \S+\)", "VALUE", "\n".join(COMMANDS))
    # A value in quotes may go on over lines, and hold what looks like a command.
    text = re.sub(r"'[^']*'", "VALUE", text)
    return re.findall(r"\baws ([a-z0-9-]+) ([a-z0-9-]+)((?:(?!\baws [a-z]).)*)", text)


def takes(model: ServiceModel, command: str) -> set[str]:
    """Return the options of a command, as the AWS CLI makes them of the members of its request."""
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    shape = model.operation_model(operations[command]).input_shape
    names = [] if shape is None else [(xform_name(name, "-"), each.type_name) for name, each in shape.members.items()]
    return {name for name, _ in names} | {f"no-{name}" for name, kind in names if kind == "boolean"}


@pytest.mark.parametrize(("service", "command", "rest"), aws_calls())
def test_a_call_of_aws_exists_with_its_options(service: str, command: str, rest: str) -> None:
    session = botocore.session.get_session()
    options = set(re.findall(r"(?<= --)[a-z0-9-]+", rest))
    if service == "s3":
        # The CLI's own commands for files.
        assert (command, options) in [("rm", {"recursive"})]
        return
    try:
        model = session.get_service_model(service)
    except UnknownServiceError:
        pytest.fail(f"there is no service {service}")
    assert options - OF_EVERY_COMMAND <= takes(model, command)


def test_a_mapping_that_is_made_again_has_all_that_the_template_sets() -> None:
    # Given what the runbook copies of the old mapping
    (query,) = re.findall(r"get-event-source-mapping .*?--query '\{(.*?)\}'", BLOCKS, re.DOTALL)
    copied = dict(re.findall(r"(\w+): (\w+)", query))

    # Then it is all that template.yaml sets, and the service knows each by these names
    mappings = of_type(template.load(ROOT / "template.yaml"), "AWS::Lambda::EventSourceMapping")
    for name in ("RecordHistoryMapping", "SendEventsMapping"):
        assert mappings[name].keys() - {"EventSourceArn", "Enabled"} <= copied.keys(), name
    model = botocore.session.get_session().get_service_model("lambda")
    told = model.operation_model("GetEventSourceMapping").output_shape
    taken = model.operation_model("CreateEventSourceMapping").input_shape
    assert told is not None
    assert taken is not None
    assert set(copied.values()) <= set(told.members)
    assert set(copied) <= set(taken.members)


def test_commands_take_the_stack_and_the_group_from_variables() -> None:
    # A word that is neither a variable nor the name of one would be sent to AWS as it stands.
    assert list(told(r"(?<![$\w{])(STACK|GROUP|FUNCTION|TOPIC|STAGE)\b(?!=)")) == []


def test_the_checks_see_the_calls() -> None:
    calls = {(service, command) for service, command, _ in aws_calls()}
    assert {("dynamodb", "list-backups"), ("dynamodb", "restore-table-from-backup")} <= calls
    assert len(calls) > 25


@pytest.mark.parametrize("words", sorted({words for (words,) in told(r"personas ((?:[a-z-]+ ?)+)")}))
def test_a_command_of_ours_exists(words: str) -> None:
    known = dict(every_command())
    path: tuple[str, ...] = ()
    for word in words.split():
        if not path or isinstance(known[path], click.Group):
            path = (*path, word)
            assert path in known, f"personas {words}"


def test_a_target_of_make_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {word for (words,) in told(r"\bmake ((?:[a-z-]+ ?)+)") for word in words.split()}
    assert {"deploy", "rollback"} <= named <= targets


def test_a_query_that_a_step_names_is_in_the_table() -> None:
    named = re.findall(r"quer(?:y|ies)\s+\*([^*]+)\*", STEPS)
    assert len(named) > 10
    assert {" ".join(name.split()) for name in named} <= QUERIES.keys()


def test_the_code_logs_the_messages_that_queries_look_for() -> None:
    layer = ROOT / "layers" / "shared" / "personas"
    code = "".join(path.read_text(encoding="utf-8") for path in layer.rglob("*.py"))
    messages = set(re.findall(r'message = "([^"]+)"', "".join(QUERIES.values())))
    assert {"answered", "refreshed"} <= messages
    assert [each for each in messages if f'"{each}"' not in code] == []


def test_every_alarm_has_its_section() -> None:
    # Given the alarms of the template; those on errors of one function share a section
    resources = template.load(ROOT / "template.yaml")["Resources"]
    assert isinstance(resources, dict)
    alarms = {
        re.sub(r"^\w+(?=Function(?:Errors|Time)Alarm$)", "", name)
        for name, resource in resources.items()
        if isinstance(resource, dict) and resource["Type"] == "AWS::CloudWatch::Alarm"
    }

    # Then the runbook has their names as headings
    headings = re.findall(r"^### (\w+Alarm)$", (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(headings) == sorted(alarms)
