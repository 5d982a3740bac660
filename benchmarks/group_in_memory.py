"""A group of any size with its views, its catalogue and two people, in an AWS of this process."""

# ruff: noqa: E402  # the environment must be there before what reads it is imported

import contextlib
import os
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "layers" / "shared"))
os.environ.update(
    {
        "PERSONAS_TABLE": "personas",
        "IDEMPOTENCY_TABLE": "idempotency",
        "HISTORY_TABLE": "history",
        "HISTORY_DAYS": "365",
        "EVENT_BUS": "",
        "CORS_ORIGINS": "",
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
from library import Library, Row, made_id

from personas import runtime
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
        store, flags = ResourceStore(services().table), ("document_parameter", "scenario_parameter", "video_parameter")
        for_all = {**dict.fromkeys(("generated", "mcp", *flags), False), "active": True, "description": ""}
        for_all |= {"department_ids": [], "conditional_parameter_ids": [], "created_at": "2026-01-01T00:00:00+00:00"}
        for kind in ("scenarios", "fields", "departments", "colors", "icons", "voices"):
            for number, each in enumerate(self.library.options[kind]):
                row = {"name": f"{kind} {number}", "voice": f"voice {number}", "value": f"icon-{number}"}
                row |= {"hex_code": f"#{number:06d}"}
                store.put(GROUP, CatalogueEntry(kind, each, row | for_all), "w")
        for number, each in enumerate(self._parameters):
            row = {
                "name": f"parameter {number}",
                "value": f"parameter-{number}",
                "field_ids": self._fields_of[each],
                "persona_parameter": True,
            }
            store.put(GROUP, CatalogueEntry("parameters", each, row | for_all), "w")
        flag = {"key": "active", "label": "Active"}
        store.put(GROUP, CatalogueEntry("flags", self.library.active_flag, flag), "w")
        if len(services().catalogues.current(GROUP).parameter_fields) < len(self.parameter_of):
            raise click.ClickException("the service cannot read the catalogue that this benchmark makes")

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
        most_used = MostUsed.of(texts, self.parameter_of)
        texts.completeness = most_used.completeness
        contents = {
            SEARCH_VIEW: encode(Snapshot(index, now.isoformat())),
            TEXTS_VIEW: texts.encode(),
            MOST_USED_VIEW: most_used.encode(),
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
