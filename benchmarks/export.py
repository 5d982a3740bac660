# ruff: noqa: S101  # what must hold for the figures to mean something ends the run
"""Exports of a group on the local emulator: time, memory and requests, each measured in a process of its own.

    .venv/bin/python benchmarks/export.py

The emulator's S3 and DynamoDB are asked over HTTP, by the function's own handler and clients. The group's views are
made by the code that refresh makes them with. Its personas stand in no table, for an export of what was refreshed reads
none; those that were written since are in it.
"""

import importlib.util
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID, uuid4, uuid5

import click

from personas import runtime
from personas.domain.catalogue import SNAPSHOTS, Pointer
from personas.domain.persona import Form, Persona
from personas.domain.profile import ApiKey, Profile
from personas.domain.text import Text
from personas.identity import digest_of, new_key
from personas.runtime import dynamodb, s3, sqs
from personas.search.index import Index
from personas.search.snapshot_format import Snapshot, encode
from personas.store.groups import GroupStore
from personas.store.persona_rows import row_of
from personas.store.personas import PersonaStore
from personas.store.table import Table
from personas.views import export_segments
from personas.views.export_segments import EXPORT_VIEW, Manifest
from personas.views.search_views import SEARCH_VIEW
from personas.views.view_objects import ViewObjectStore
from personas_tools.library_store import Entry, ResourceKind, ResourceStore
from personas_tools.profile_store import ProfileWriter
from personas_tools.stack import LocalStack, connected
from personas_tools.target import local_table

ROOT = Path(__file__).resolve().parent.parent
NAMESPACE = UUID("0d1c9e4e-6f0e-5d57-9d0a-2d7f6f1c0b12")
DEPARTMENTS, COLORS, VOICES = 50, 16, 20
INSTRUCTIONS = 1_000
WRITTEN = 1_000
RARE = "zq"
MB = 1024 * 1024
TIME = "2026-11-24T12:00:00+00:00"


def made_id(*parts: object) -> str:
    """Return the UUID that follows from these parts."""
    return str(uuid5(NAMESPACE, "/".join(map(str, parts))))


# ---- A group ------------------------------------------------------------------------------------------------------


def personas(group: str, size: int) -> Iterator[Persona]:
    """Yield made-up personas in the order of their ids, of some 1,400 characters each; the same ones every time."""
    chance = random.Random(20)
    letters = "eeeeeeaaaaiiiinnnnoootttsssrrrhhlldduuccmmpgfwybvk"
    words = ["".join(chance.choices(letters, k=chance.randint(2, 10))) for _ in range(4_000)]

    def text(kind: str, number: int, characters: int) -> Text:
        return Text(made_id(group, kind, number), " ".join(chance.choices(words, k=characters // 6))[:characters])

    for number, persona_id in enumerate(sorted(made_id(group, "persona", each) for each in range(size))):
        description = text("description", number, 90)
        yield Persona(
            id=persona_id,
            form=Form(
                name=text("name", number, 20),
                description=description._replace(text=f"{RARE} {description.text}")
                if number % 100 == 0
                else description,
                instructions=text("instructions", number, INSTRUCTIONS),
                color_id=made_id(group, "colors", chance.randrange(COLORS)),
                icon_id=made_id(group, "icons", 0),
                active_flag_id=None,
                department_ids=tuple({made_id(group, "departments", chance.randrange(DEPARTMENTS)) for _ in range(2)}),
                examples=tuple(text(f"example {each}", number, 80) for each in range(3)),
                voice_ids=(made_id(group, "voices", chance.randrange(VOICES)),),
            ),
            created_at=TIME,
            updated_at=TIME,
            seq=1,
        )


def prepare(stack: LocalStack, group: str, size: int) -> str:
    """Create a refreshed group of so many personas, and return a key of one of its superadmins."""
    table = local_table(stack)
    catalogue: Mapping[ResourceKind, tuple[int, Mapping[str, str]]] = {
        "departments": (DEPARTMENTS, {"name": "Department"}),
        "colors": (COLORS, {"name": "Color", "hex_code": "#00000"}),
        "icons": (1, {"name": "Icon", "value": "icon"}),
        "voices": (VOICES, {"voice": "Voice"}),
    }
    for kind, (count, row) in catalogue.items():
        for number in range(count):
            numbered = {name: f"{value} {number}" for name, value in row.items()} | {"description": ""}
            ResourceStore(table).put(group, Entry(kind, made_id(group, kind, number), numbered), uuid4().hex)
    view_objects, watermark = ViewObjectStore(stack.s3(), stack.names["Bucket"]), table.now()
    index = Index()

    def entries() -> Iterator[export_segments.Entry]:
        for persona in personas(group, size):
            index.upsert(persona.id, persona.seq, row_of(persona))
            yield export_segments.Entry(persona.id, persona.seq, persona)

    store = partial(view_objects.write_parts, group, EXPORT_VIEW, watermark)
    manifest = export_segments.revise(Manifest(), entries(), size, view_objects.read_range, store)
    objects = {
        EXPORT_VIEW: export_segments.encode(manifest),
        SEARCH_VIEW: encode(Snapshot(index, watermark.isoformat())),
    }
    pointers = {
        view: Pointer(group, view, view_objects.write(group, view, watermark, content), watermark, watermark).as_value()
        for view, content in objects.items()
    }
    groups = GroupStore(table)
    groups.ensure_secret(group)
    groups.swap(group, groups.read(group), {"name": "House", SNAPSHOTS: pointers}, uuid4().hex)
    profile = Profile(id=made_id(group, "profile"), group_id=group, name="Root", role="superadmin")
    key = new_key(profile.id)
    profiles = ProfileWriter(table)
    profiles.put_profile(profile, (), uuid4().hex)
    profiles.put_key(
        ApiKey(digest=digest_of(key), group_id=group, profile_id=profile.id, label="", created_at=0, expires_at=None),
        uuid4().hex,
    )
    return key


def write_since(table: Table, group: str, size: int) -> None:
    """Write every n-th persona again, after the refresh."""
    store = PersonaStore(table)
    step = size // WRITTEN
    some = [each for number, each in enumerate(personas(group, size)) if number % step == 0]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda each: store.insert(group, each, uuid4().hex), some))


# ---- One measurement, in a process of its own ---------------------------------------------------------------------


class Context:
    """The context object that Lambda passes to a handler."""

    function_name = "export"
    memory_limit_in_mb = 1769
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:export"
    aws_request_id = "benchmark"

    def __init__(self, patience: float) -> None:
        self.patience = patience

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the invocation is cut off."""
        return int(self.patience * 1000)


def status(name: str) -> float:
    """Return a figure of this process in MB, as the kernel has it."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


def measure(key: str, only: str, body: Mapping[str, object], patience: float) -> dict[str, object]:
    """Export once, in an environment that has loaded the group's view by exporting the persona ``only``."""
    spec = importlib.util.spec_from_file_location("handler", ROOT / "functions/export/handler.py")
    assert spec is not None
    assert spec.loader is not None
    handler = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(handler)
    # A busy machine is measured as well. The process ends with the measurement.
    patch.object(runtime, "GATEWAY_WAITS", timedelta(seconds=patience)).start()
    events = json.loads((ROOT / "events/export.json").read_text(encoding="utf-8"))

    def call(content: Mapping[str, object]) -> dict[str, Any]:
        event = {**events, "headers": {"x-api-key": key}, "body": json.dumps(content)}
        answer = handler.lambda_handler(event, Context(patience))
        assert answer["statusCode"] == HTTPStatus.OK, answer
        told: dict[str, Any] = json.loads(answer["body"])
        return told

    imported = status("VmRSS")
    began = time.perf_counter()
    call({"persona_id": only})
    loading = time.perf_counter() - began
    requests: Counter[str] = Counter()
    for client in (dynamodb(), s3(), sqs()):
        client.meta.events.register(
            "before-send", lambda event_name, **_: requests.update([event_name.rpartition(".")[2]])
        )
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the peak counts from here
    loaded = status("VmRSS")
    began, worked = time.perf_counter(), time.process_time()
    answer = call(body)
    took, worked = time.perf_counter() - began, time.process_time() - worked
    peak, made = status("VmHWM"), dict(requests)
    bucket = os.environ["BUCKET"]
    (file,) = (
        each
        for page in s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="exports/")
        for each in page["Contents"]
        if answer["upload_id"] in each["Key"]
    )
    return {
        "rows": answer["row_count"],
        "file_mb": file["Size"] / MB,
        "seconds": took,
        "cpu_seconds": worked,
        "loading_seconds": loading,
        "imported_mb": imported,
        "loaded_mb": loaded,
        "peak_mb": peak,
        "requests": made,
    }


# ---- The command --------------------------------------------------------------------------------------------------


def in_a_process(stack: LocalStack, patience: float, *arguments: str) -> dict[str, Any]:
    """Return the result of `measure` in a process with the environment of the function."""
    (function,) = (each for each in stack.functions if each.name.endswith("ExportFunction"))
    environment = {**os.environ, **function.environment, "PYTHONPATH": str(ROOT / "layers/shared")}
    done = subprocess.run(
        [sys.executable, __file__, "--patience", str(patience), "--child", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def line(size: int, case: str, found: Mapping[str, Any]) -> str:
    """Return a row of the table."""
    told = {name.removesuffix("MultipartUpload"): count for name, count in found["requests"].items()}
    requests = ", ".join(f"{count} {name}" for name, count in sorted(told.items()))
    more = found["peak_mb"] - found["loaded_mb"]
    return (
        f"| {size:,} | {case} | {found['rows']:,} | {found['file_mb']:.1f} MB | {found['seconds']:.1f} s | "
        f"{found['cpu_seconds']:.1f} s | {found['loaded_mb']:.0f} MB | +{more:.0f} MB | "
        f"{sum(found['requests'].values())}: {requests} |"
    )


@click.command()
@click.option("--sizes", default="10000,100000", show_default=True)
@click.option("--patience", default=29.0, show_default=True, help="Seconds that a call has.")
@click.option("--child", nargs=3, hidden=True)
def main(sizes: str, patience: float, child: Sequence[str] | None) -> None:
    """Measure exports of groups of these sizes."""
    if child:
        key, only, body = child
        click.echo(json.dumps(measure(key, only, json.loads(body), patience)))
        return
    load = " ".join(f"{each:.2f}" for each in os.getloadavg())
    click.echo(f"Python {platform.python_version()}, {os.cpu_count()} cores, load average {load}\n")
    click.echo("| personas | what | rows | file | time | of it CPU | before | at most | requests |")
    click.echo("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder, connected(Path(folder)) as stack:
        for size in map(int, sizes.split(",")):
            group = made_id("group", size)
            key = prepare(stack, group, size)
            only = next(personas(group, 1)).id if size == 1 else min(made_id(group, "persona", n) for n in range(size))
            cases: dict[str, dict[str, object]] = {
                "all": {},
                "a department": {"filter_department_ids": [made_id(group, "departments", 0)]},
                "a text of 1 %": {"search": RARE},
                f"all, {WRITTEN:,} written since the refresh": {},
            }
            for case, body in cases.items():
                if "written" in case:
                    write_since(local_table(stack), group, size)
                click.echo(line(size, case, in_a_process(stack, patience, key, only, json.dumps(body))))


if __name__ == "__main__":
    main()
