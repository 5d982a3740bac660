"""Whole requests at size: search and refresh through their handlers, everything but the network to AWS.

AWS is answered in this process (`aws_in_memory`), so the measured time is the function's own: the event, the
caller, the feed, the view, the models, the answer's JSON, the log line. The CPU time is that of all threads.
"""

# ruff: noqa: E402  # the environment must be there before what reads it is imported

import contextlib
import importlib.util
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from itertools import count
from pathlib import Path
from statistics import fmean, median
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "layers" / "shared"))
os.environ.update(
    {
        "PERSONAS_TABLE": "personas",
        "IDEMPOTENCY_TABLE": "idempotency",
        "HISTORY_TABLE": "history",
        "HISTORY_DAYS": "365",
        "EVENT_BUS": "",
        "BUCKET": "bucket",
        "REFRESH_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/000000000000/queue",
        "STAGE": "benchmark",
        "JWT_ISSUER": "",
        "JWT_AUDIENCE": "",
        "JWT_JWKS_URL": "",
        "POWERTOOLS_SERVICE_NAME": "personas",
        "POWERTOOLS_METRICS_NAMESPACE": "Personas",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_LAMBDA_FUNCTION_NAME": "benchmark",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
    }
)

import click
from aws_in_memory import AwsInMemory
from library import VARIANTS, Library, Row, made_id
from silence import quiet

from personas import runtime
from personas.contract.registry import OPERATIONS
from personas.domain.catalogue import Pointer
from personas.domain.persona import Form, Persona
from personas.domain.profile import ApiKey, Profile
from personas.domain.text import Text, resource_id
from personas.identity import digest_of, new_key
from personas.search.index import Index
from personas.search.snapshot_format import Snapshot, encode
from personas.services import services
from personas.views import export_segments
from personas.views.export_segments import EXPORT_VIEW, Entry, Manifest
from personas.views.most_used import MostUsed
from personas.views.search_views import SEARCH_VIEW
from personas.views.suggestion_views import MOST_USED_VIEW, TEXTS_VIEW
from personas.views.text_usage import TextsView
from personas_tools.library_store import Entry as CatalogueEntry
from personas_tools.library_store import ResourceStore
from personas_tools.profile_store import ProfileWriter

GROUP = made_id("group")
ROOTS_PROFILE, MEMBERS_PROFILE = made_id("root"), made_id("member")
PARAMETERS = 40

type Handler = Callable[[dict[str, Any], object], dict[str, Any]]


@dataclass
class Times:
    """Wall and CPU seconds of the same thing, done again and again."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @contextlib.contextmanager
    def timed(self) -> Iterator[None]:
        """Add the time that the block takes."""
        cpu, wall = time.process_time(), time.perf_counter()
        yield
        self.wall.append(time.perf_counter() - wall)
        self.cpu.append(time.process_time() - cpu)

    def __str__(self) -> str:
        """Return median and p99 of the wall time, mean and p99 of the CPU time, in ms."""
        wall, cpu = sorted(self.wall), sorted(self.cpu)
        last = min(len(wall) - 1, int(0.99 * len(wall)))
        return " | ".join(f"{1e3 * each:.3g}" for each in (median(wall), wall[last], fmean(cpu), cpu[last]))


# ---- A group in memory -----------------------------------------------------------------------------------------------


class Group:
    """A group of a size with its views, its catalogue and two people, all of it stored through the real stores."""

    def __init__(self, size: int) -> None:
        self.library = Library(size)
        self.aws = AwsInMemory()
        for client in (runtime.dynamodb(), runtime.s3()):
            self.aws.answer(client)
        self._parameters = [made_id("parameter", number) for number in range(PARAMETERS)]
        fields = self.library.options["fields"]
        self._fields_of = {each: fields[number::PARAMETERS] for number, each in enumerate(self._parameters)}
        # The ids by which personas link to fields are those that the catalogue gives them.
        links = {
            own: (parameter, resource_id(GROUP, "parameter_fields", f"{parameter}/{own}"))
            for parameter, owned in self._fields_of.items()
            for own in owned
        }
        self.library.parameter_fields = [links[each][1] for each in fields]
        self.library.field_of = {links[each][1]: each for each in fields}
        self.parameter_of = {link: parameter for parameter, link in links.values()}
        chance = random.Random(24)
        self._instructions = {
            each: self.library._text(chance, chance.randint(500, 4000)) for each in self.library.options["instructions"]
        }
        self.keys = {"a superadmin": self._person(ROOTS_PROFILE, "superadmin", [])}
        departments = self.library.options["departments"][:3]
        self.keys["a member of 3 departments"] = self._person(MEMBERS_PROFILE, "instructional", departments)
        self._catalogue()
        self._views()

    def _person(self, profile_id: str, role: str, departments: list[str]) -> str:
        store, key = ProfileWriter(services().table), new_key(profile_id)
        profile = Profile(id=profile_id, group_id=GROUP, name="Ada", role=role, department_ids=frozenset(departments))
        store.put_profile(profile, [], "w")
        digest = digest_of(key)
        stored = ApiKey(digest=digest, group_id=GROUP, profile_id=profile_id, label="", created_at=0, expires_at=None)
        store.put_key(stored, "w")
        return key

    def _catalogue(self) -> None:
        store, for_all = ResourceStore(services().table), {"active": True, "department_ids": []}
        for kind in ("scenarios", "fields", "departments", "colors", "icons", "voices"):
            for number, each in enumerate(self.library.options[kind]):
                row = {"name": f"{kind} {number}", "voice": f"voice {number}", "value": f"icon-{number}"}
                row |= {"hex_code": f"#{number:06d}"}
                store.put(GROUP, CatalogueEntry(kind, each, row | for_all), "w")
        for number, each in enumerate(self._parameters):
            row = {"name": f"parameter {number}", "field_ids": self._fields_of[each], "persona_parameter": True}
            store.put(GROUP, CatalogueEntry("parameters", each, row | for_all), "w")
        flag = {"key": "active", "label": "Active"}
        store.put(GROUP, CatalogueEntry("flags", self.library.active_flag, flag), "w")

    def persona(self, persona_id: str, row: Row, seq: int) -> Persona:
        """Return a whole persona, made from a row."""
        return Persona(
            id=persona_id,
            form=Form(
                name=Text(row["ni"], row["n"]),
                description=Text(row["di"], row["d"]),
                instructions=Text(row["ii"], self._instructions[row["ii"]]),
                color_id=row["c"],
                icon_id=row["i"],
                active_flag_id=row["f"],
                department_ids=tuple(row["dp"]),
                parameter_field_ids=tuple(row["pf"]),
                examples=tuple(Text(each, f"Example {each}, said aloud.") for each in row["ex"]),
                voice_ids=tuple(row["vo"]),
            ),
            scenario_ids=tuple(row["sc"]),
            active_scenario_ids=tuple(row["as"]),
            num_profiles=row["np"],
            generated=row["g"],
            mcp=row["m"],
            created_at=row["ct"],
            updated_at=row["ut"],
            version=1,
            seq=seq,
        )

    def _views(self) -> None:
        """Make the views as a rebuild does, without the table that a rebuild reads."""
        index, texts = Index(), TextsView(GROUP)
        view_objects, now = services().view_objects, datetime.now(UTC)

        def entries() -> Iterator[Entry]:
            for persona_id, row in sorted(self.library.rows(), key=lambda each: each[0]):
                index.upsert(persona_id, 1, row)
                persona = self.persona(persona_id, row, 1)
                texts.upsert(persona)
                yield Entry(persona_id, 1, persona)

        def store(parts: Iterator[bytes]) -> str:
            return view_objects.write_parts(GROUP, EXPORT_VIEW, now, parts)

        manifest = export_segments.revise(Manifest(), entries(), 0, view_objects.read_range, store)
        contents = {
            SEARCH_VIEW: encode(Snapshot(index, now.isoformat())),
            TEXTS_VIEW: texts.encode(),
            MOST_USED_VIEW: MostUsed.of(texts, self.parameter_of).encode(),
            EXPORT_VIEW: export_segments.encode(manifest),
        }
        pointers = {
            view: Pointer(GROUP, view, view_objects.write(GROUP, view, now, content), now, now)
            for view, content in contents.items()
        }
        row = {"name": "Group", "snapshots": {view: pointer.as_value() for view, pointer in pointers.items()}}
        ResourceStore(services().table).put(GROUP, CatalogueEntry("group", GROUP, row), "w")

    def change(self, number: int, chance: random.Random) -> None:
        """Write so many personas of the group again, through the store."""
        for persona in chance.sample(range(self.library.size), number):
            persona_id = made_id("persona", persona)
            row = self.library.row(chance, persona)
            services().personas.insert(GROUP, self.persona(persona_id, row, 1), f"w{chance.random()}")

    @contextlib.contextmanager
    def undone(self) -> Iterator[None]:
        """Undo the writes of the block at its end."""
        items, objects = dict(self.aws.items), dict(self.aws.objects)
        changed = {partition: list(listed) for partition, listed in self.aws._changed.items()}
        yield
        self.aws.items, self.aws.objects, self.aws._changed = items, objects, changed


# ---- Calling the handlers --------------------------------------------------------------------------------------------


def handler_of(operation: str) -> Handler:
    """Return the handler of a function."""
    spec = importlib.util.spec_from_file_location(f"handler_{operation}", ROOT / "functions" / operation / "handler.py")
    if spec is None or spec.loader is None:
        raise click.ClickException(f"there is no function {operation}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    handler: Handler = module.lambda_handler
    return handler


_numbers = count()


def event_of(operation: str, key: str, body: object) -> dict[str, Any]:
    """Return an event of API Gateway, payload version 2.0."""
    path = OPERATIONS[operation].path
    return {
        "version": "2.0",
        "routeKey": f"POST {path}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json", "x-api-key": key},
        "requestContext": {
            "http": {"method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "x"},
            "requestId": f"request-{next(_numbers)}",
            "stage": "$default",
        },
        "isBase64Encoded": False,
        "body": json.dumps(body),
    }


CONTEXT = SimpleNamespace(
    function_name="benchmark",
    memory_limit_in_mb=1769,
    invoked_function_arn="arn:aws:lambda:eu-central-1:000000000000:function:benchmark",
    aws_request_id="request",
    get_remaining_time_in_millis=lambda: 29_000,
)


def call(handler: Handler, event: dict[str, Any]) -> dict[str, Any]:
    """Call the handler, and return the answer's body."""
    answer = handler(event, CONTEXT)
    if answer["statusCode"] != HTTPStatus.OK:
        raise click.ClickException(f"{answer['statusCode']}: {answer['body']}")
    body: dict[str, Any] = json.loads(answer["body"])
    return body


# ---- Measuring -------------------------------------------------------------------------------------------------------


def bodies_of(library: Library) -> dict[str, list[dict[str, object]]]:
    """Return the kinds of searches, by label."""
    chance = random.Random(25)
    departments, fields = library.options["departments"], library.options["fields"]
    filtered = [
        {"filter_department_ids": chance.sample(departments, 3), "field_ids": chance.sample(fields, 5)}
        for _ in range(VARIANTS)
    ]
    return {
        "no filter": [{}],
        "text, 5 hits": [{"search": word} for word in library.rare],
        "text, 1 % hits": [{"search": word} for word in library.frequent],
        "text of 2 letters": [{"search": word} for word in library.syllables],
        "3 departments + 5 fields": filtered,
    }


def measure_search(group: Group, rounds: int, changes: int) -> Iterator[tuple[str, str, Times, set[tuple[str, ...]]]]:
    """Measure every kind of search by both people, with so many changes in the window of the feed."""
    handler, chance = handler_of("search"), random.Random(changes)
    # The feed's window must have passed over the loading of the library, or it would be read again at every search.
    time.sleep(runtime.FEED_WINDOW.total_seconds())
    for label, bodies in bodies_of(group.library).items():
        for who, key in group.keys.items():
            with group.undone():
                group.change(changes, chance)
                times, calls = Times(), Counter[tuple[str, ...]]()
                call(handler, event_of("search", key, {}))
                for number in range(rounds):
                    event = event_of("search", key, bodies[number % len(bodies)])
                    group.aws.calls.clear()
                    with times.timed():
                        answer = handler(event, CONTEXT)
                    calls[tuple(sorted(group.aws.calls))] += 1
                    if answer["statusCode"] != HTTPStatus.OK:
                        raise click.ClickException(str(answer))
                yield label, who, times, set(calls)


def measure_refresh(group: Group, changes: int, rounds: int) -> tuple[Times, list[str]]:
    """Measure a refresh of all views after so many changes, each time from the same views.

    The calls to AWS of the last refresh are returned too.
    """
    handler, times = handler_of("refresh"), Times()
    for number in range(rounds):
        with group.undone():
            group.change(changes, random.Random(number))
            group.aws.calls.clear()
            with times.timed():
                answer = call(handler, event_of("refresh", group.keys["a superadmin"], {}))
            if answer["refreshed_views"] != ["personas_search", "personas_texts", "personas_export"]:
                raise click.ClickException(str(answer))
    return times, list(group.aws.calls)


@click.command()
@click.option("--size", default=100_000, show_default=True, help="How many personas.")
@click.option("--rounds", default=200, show_default=True, help="How often each kind of search is asked.")
def main(size: int, rounds: int) -> None:
    """Measure, and write a report in Markdown. All times are in ms."""
    lines = [f"| search, {size:,} personas | caller | changes in the window | wall | p99 | CPU | p99 | calls to AWS |"]
    lines.append("| --- | --- | --- | --- | --- | --- | --- | --- |")
    with quiet():
        group = Group(size)
        for changes in (0, 100):
            for label, who, times, calls in measure_search(group, rounds, changes):
                asked = " or ".join(" + ".join(each) for each in sorted(calls))
                lines.append(f"| {label} | {who} | {changes} | {times} | {asked} |")
        lines += ["", f"| refresh, {size:,} personas | wall | most | CPU | most | calls to AWS |"]
        lines.append("| --- | --- | --- | --- | --- | --- |")
        for changes in (100, 1_000, size // 50):
            times, asked_for = measure_refresh(group, changes, 5)
            asked = ", ".join(f"{number} {each}" for each, number in sorted(Counter(asked_for).items()))
            lines.append(f"| {changes:,} changes | {times} | {asked} |")
    load = " ".join(f"{each:.2f}" for each in os.getloadavg())
    click.echo("\n".join([*lines, "", f"Load average {load}."]))


if __name__ == "__main__":
    main()
