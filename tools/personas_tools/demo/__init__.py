"""The demo group: a library, 24 personas, a profile for each role, and their keys. For the local stack only."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final
from uuid import uuid4

import yaml

from personas.clock import machine_time
from personas.contract.create import CreatePersonaRequest
from personas.domain.folding import fold
from personas.domain.profile import ApiKey, Caller, Profile
from personas.domain.text import resource_id
from personas.errors import Unavailable
from personas.identity import digest_of, is_valid, new_key
from personas.operations.create import create_personas
from personas.runtime import Deadline, parallel
from personas.services import Services
from personas.settings import Settings
from personas.store.groups import GroupStore
from personas.store.table import Table
from personas.store.write_rule import OneTime
from personas_tools.library import load
from personas_tools.library_catalogue import Catalogue, stored_catalogue
from personas_tools.library_file import Library, parse
from personas_tools.profile_store import ProfileWriter
from personas_tools.scenario_casts import personas_named
from personas_tools.stack import JWKS_PATH, LocalStack, StackError
from personas_tools.target import local_table

GROUP: Final = "d0000000-0000-4000-8000-000000000001"
"""The demo group: what local commands work on unless told otherwise."""

_KEYS_FILE: Final = "demo-keys.json"
_GET: Final = "/api/v5/artifacts/personas/get"


@dataclass(frozen=True, slots=True)
class Person:
    """A profile of the demo: one for each role."""

    role: str
    name: str
    departments: tuple[str, ...]
    personas: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The profile's id."""
        return resource_id(GROUP, "profiles", self.name)


PEOPLE: Final = (
    Person(
        role="viewer",
        name="Noah Berger",
        departments=("Health and Care",),
        personas=(
            "Hannah Weiss, patient the night before surgery",
            "Abdul Karim Nasser, patient who plays down his chest pain",
            "Tessa Boyle, mother unsure about vaccination",
        ),
    ),
    Person(
        role="instructional",
        name="Grace Adeyemi",
        departments=("Education", "Health and Care"),
        personas=(
            "Leila Haddad, confused first-year student",
            "Hannah Weiss, patient the night before surgery",
        ),
    ),
    Person(
        role="admin",
        name="Tomás Ferreira",
        departments=("Customer Care", "Business and Leadership"),
        personas=("Evelyn Thorpe, skeptical CFO",),
    ),
    Person(
        role="superadmin",
        name="Vera Lindholm",
        departments=("Customer Care", "Health and Care", "Education", "Business and Leadership"),
    ),
)
"""The people of the demo. The last of them is written last of all, and so tells that the demo is complete."""


def load_if_empty(stack: LocalStack) -> list[str]:
    """Load the demo unless it was loaded before, and return the lines that name the keys to try it.

    The next start does what a first one that was cut off has left undone. Keys are kept in ``demo-keys.json``
    of the stack's folder, for they can be shown again at every start only if they lie there.

    Raises:
        LibraryError, PersonasError: the demo's own files do not fit the service.
        StackError: the local data are those of an earlier version.
    """
    table = local_table(stack)
    profiles = ProfileWriter(table)
    _, people = profiles.read(None, [PEOPLE[-1].id])
    if people and GroupStore(table).read(GROUP).text_secret is None:
        raise StackError(
            f"The local data are of an earlier version. Remove {stack.folder / 'state'} to start over, without them."
        )
    if not people:
        _load(table, _services(stack, table))
    keys = _keys(stack.folder / _KEYS_FILE, profiles, table)
    address = stack.functions[0].environment["JWT_JWKS_URL"].removesuffix(JWKS_PATH)
    return [
        "",
        "The demo group has a key for each role:",
        *(f"  {person.role:<14} {person.name:<15} {keys[person.role]}" for person in reversed(PEOPLE)),
        "",
        "Try it:",
        f"  curl -s {address}{_GET} -H 'X-Api-Key: {keys['superadmin']}' -H 'Content-Type: application/json' -d '{{}}'",
    ]


def _services(stack: LocalStack, table: Table) -> Services:
    return Services(Settings.read(stack.functions[0].environment), table, parallel(), machine_time, Deadline())


def _load(table: Table, services: Services) -> None:
    library = parse(_text("library.yaml"))
    # Personas need the catalogue to be made of, and scenarios need personas to cast.
    load(table, GROUP, _without_casts(library))
    _create(table, services)
    load(table, GROUP, library)
    catalogue, named = stored_catalogue(table, GROUP), personas_named(table, GROUP)
    for person in PEOPLE:
        _put(ProfileWriter(table), person, catalogue, named)


def _without_casts(library: Library) -> Library:
    uncast = tuple(scenario.model_copy(update={"personas": None}) for scenario in library.scenarios)
    return library.model_copy(update={"scenarios": uncast})


def _create(table: Table, services: Services) -> None:
    """Create the personas that are not there yet, by the same operation as everyone else's."""
    present = personas_named(table, GROUP)
    items = [
        {"id": resource_id(GROUP, "personas", item["name"]), **item} for item in yaml.safe_load(_text("personas.yaml"))
    ]
    missing = [item for item in items if item["id"] not in present]
    if not missing:
        return
    author = PEOPLE[-1]
    caller = Caller(
        group_id=GROUP,
        profile_id=author.id,
        name=author.name,
        role=author.role,
        department_ids=frozenset(),
        session_id=resource_id(GROUP, "sessions", "demo"),
    )
    request = CreatePersonaRequest.model_validate({"personas": missing})
    answer = create_personas(services, caller, request, OneTime())
    failures = [result.message for result in answer.results if not result.success]
    if failures:
        raise Unavailable(f"{len(failures)} personas of the demo were not saved, the first because: {failures[0]}")


def _put(profiles: ProfileWriter, person: Person, catalogue: Catalogue, named: Mapping[str, list[str]]) -> None:
    profile = Profile(
        id=person.id,
        group_id=GROUP,
        name=person.name,
        role=person.role,
        department_ids=frozenset(catalogue.find("departments", name) for name in person.departments),
    )
    assigned = [persona_id for name in person.personas for persona_id in named.get(fold(name), [])]
    profiles.put_profile(profile, assigned, str(uuid4()))


def _keys(path: Path, profiles: ProfileWriter, table: Table) -> dict[str, str]:
    """Return a valid key for each role, by role. A key is kept before it is stored: none is valid and unknown."""
    kept: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    moment = int(table.now().timestamp())
    stored = {role: profiles.read(digest_of(key), [])[0] for role, key in kept.items()}
    fresh = {
        person.role: new_key(person.id)
        for person in PEOPLE
        if person.role not in kept or ((known := stored[person.role]) is not None and not is_valid(known, moment))
    }
    keys = kept | fresh
    if fresh:
        _write(path, json.dumps(keys, indent=2))
    for person in PEOPLE:
        key = keys[person.role]
        if person.role in fresh or stored[person.role] is None:
            digest = digest_of(key)
            api_key = ApiKey(
                digest=digest,
                group_id=GROUP,
                profile_id=person.id,
                label=f"demo {person.role}",
                created_at=moment,
                expires_at=None,
            )
            # The id follows from the key: where a start was cut off between the two writes of one, the next goes on.
            profiles.put_key(api_key, digest)
    return keys


def _write(path: Path, content: str) -> None:
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(content)
    draft.replace(path)


def _text(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")
