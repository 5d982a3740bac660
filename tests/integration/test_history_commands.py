"""The commands that look after the history, and the one that listens, on a local service."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import boto3
import pytest
from click.testing import CliRunner

from personas.runtime import utc_now
from personas.store.history import HistoryStore
from personas_tools.cli import main
from personas_tools.demo import GROUP
from personas_tools.emulator import running
from personas_tools.stack import LocalStack
from support.server import ROOT, Session, demo_key, serving
from support.versions import Writing, eventually, store_of
from support.world import World

RECORDED: Final = (ROOT / "events" / "stream.json").read_text(encoding="utf-8")
ITS_GROUP: Final = "2b7d4f90-1a3c-4e5b-8d6f-7a8b9c0d1e2f"
ITS_PERSONA: Final = "1f3e5d7c-9b8a-4f6e-8d5c-4b3a29181706"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    folder = tmp_path_factory.mktemp("service")
    with serving(folder) as (server, port):
        yield folder, port
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=60) == 0


def stack_of(folder: Path) -> LocalStack:
    address = running(folder)
    assert address is not None
    return LocalStack(address, folder=folder)


def run(*words: str) -> str:
    result = CliRunner().invoke(main, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def versions(history: HistoryStore, group: str, persona_id: str) -> list[int]:
    return [each.version for each in history.page(group, persona_id, None, 100).records]


@pytest.mark.emulator
def test_a_replay_records_what_was_given_up_and_takes_it_away(service: tuple[Path, int]) -> None:
    # Given a batch that Lambda left in the bucket,
    folder, _ = service
    stack = stack_of(folder)
    s3, bucket = stack.s3(), stack.names["Bucket"]
    failure = {"requestContext": {"functionArn": "personas-local-RecordHistoryFunction"}, "payload": RECORDED}
    s3.put_object(Bucket=bucket, Key="aws/lambda/mapping/shard/one", Body=json.dumps(failure).encode())
    assert "? aws/lambda/mapping/shard/one: 1 records" in run("history", "replay", "--dry-run", "--folder", str(folder))
    assert versions(store_of(folder), ITS_GROUP, ITS_PERSONA) == []

    told = run("history", "replay", "--folder", str(folder))

    assert "+ aws/lambda/mapping/shard/one: 1 records" in told
    assert versions(store_of(folder), ITS_GROUP, ITS_PERSONA) == [1]
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket, Prefix="aws/lambda/")


@pytest.mark.emulator
def test_what_fails_again_stays(service: tuple[Path, int]) -> None:
    folder, _ = service
    stack = stack_of(folder)
    s3, bucket, key = stack.s3(), stack.names["Bucket"], "aws/lambda/mapping/shard/two"
    batch = json.loads(RECORDED)
    del batch["Records"][0]["dynamodb"]["Keys"]["sk"]
    failure = {"requestContext": {"functionArn": "personas-local-RecordHistoryFunction"}, "payload": json.dumps(batch)}
    s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(failure).encode())

    result = CliRunner().invoke(main, ["history", "replay", "--folder", str(folder)])

    assert result.exit_code == 1
    assert f"! {key}: 1 records: 1 failed again" in result.stdout
    s3.delete_object(Bucket=bucket, Key=key)


@pytest.mark.emulator
def test_a_purge_erases_one_history(service: tuple[Path, int]) -> None:
    folder, port = service
    history, writing = store_of(folder), Writing(7, personas=1)
    with Session(port, demo_key(folder, "superadmin")) as session:
        writing.act(session.call)
    ((persona_id, _),) = writing.lines.items()
    assert eventually(lambda: versions(history, GROUP, persona_id), [1]) == [1]

    assert run("history", "purge", persona_id, "--folder", str(folder)) == "2 items erased.\n"

    assert versions(history, GROUP, persona_id) == []


@pytest.mark.emulator
def test_who_listens_is_told_of_each_version(service: tuple[Path, int]) -> None:
    folder, port = service
    with subprocess.Popen(
        [sys.executable, "-m", "personas_tools.cli", "listen", "--most", "2", "--folder", str(folder)],
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'tools'}{os.pathsep}{ROOT / 'layers' / 'shared'}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as listener:
        assert listener.stderr is not None
        assert listener.stderr.readline() == "Listening.\n"
        writing = Writing(11, personas=1)
        with Session(port, demo_key(folder, "superadmin")) as session:
            writing.act(session.call)
            writing.act(session.call)
        told, _ = listener.communicate(timeout=30)
    events: list[dict[str, Any]] = [json.loads(line) for line in told.splitlines()]
    assert [event["detail"]["version"] for event in events] == [1, 2]
    assert events[0]["detail-type"] == "PersonaCreated"
    assert {event["detail"]["persona_id"] for event in events} == set(writing.lines)


def test_nobody_listens_where_nothing_runs(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["listen", "--folder", str(tmp_path)])
    assert result.exit_code == 1
    assert "No service runs" in result.stderr


def test_a_deployed_history_is_found_by_the_stack_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    names = world.aws.names
    outputs = {f"{each}Name": names[each] for each in ("PersonasTable", "HistoryTable", "Bucket")}
    monkeypatch.setattr("personas_tools.target._outputs_of", lambda _: outputs)
    boto3.client("dynamodb").put_item(
        TableName=names["HistoryTable"],
        Item={"pk": {"S": f"history#{GROUP}#{ITS_PERSONA}"}, "sk": {"S": "v#000000001"}, "at": {"S": str(utc_now())}},
    )
    where = ["history", "purge", ITS_PERSONA, "--group", GROUP]
    refused = CliRunner().invoke(main, [*where, "--table", names["PersonasTable"]])
    assert (refused.exit_code, "Say by --stack" in refused.stderr) == (1, True)
    assert run(*where, "--stack", "personas-dev") == "1 items erased.\n"
