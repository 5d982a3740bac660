"""A day with the generated client: form, draft, conflict, create, search, export.

Run as: python flow.py ADDRESS KEY.
"""

import sys
from http import HTTPStatus

from personas_client import AuthenticatedClient
from personas_client.api.drafts import draft
from personas_client.api.files import download, export
from personas_client.api.find import get, search
from personas_client.api.save import create, delete
from personas_client.models import (
    CreatePersonaItem,
    CreatePersonaRequest,
    CreatePersonaResponse,
    DeletePersonaRequest,
    DeletePersonaResponse,
    ExportPersonasRequest,
    ExportPersonasResponse,
    GetPersonaRequest,
    GetPersonaResponse,
    PatchPersonaDraftRequest,
    PatchPersonaDraftResponse,
    Problem,
    SearchPersonaRequest,
    SearchPersonaResponse,
)

address, key = sys.argv[1:]
client = AuthenticatedClient(base_url=address, token=key, prefix="", auth_header_name="X-Api-Key")

form = get.sync(client=client, body=GetPersonaRequest())
assert isinstance(form, GetPersonaResponse), form
assert form.persona_exists is False
assert form.colors
assert form.colors.resources
assert form.icons
assert form.icons.resources
color_id, icon_id = form.colors.resources[0].id, form.icons.resources[0].id

typed = draft.sync(client=client, body=PatchPersonaDraftRequest(name="Typed in Python"))
assert isinstance(typed, PatchPersonaDraftResponse), typed
assert typed.new_version == 1

late = draft.sync_detailed(
    client=client,
    body=PatchPersonaDraftRequest(input_draft_id=typed.draft_id, expected_version=7, color_id=color_id),
)
assert late.status_code == HTTPStatus.CONFLICT
assert isinstance(late.parsed, Problem), late
assert (late.parsed.code, late.parsed.current_version) == ("version_conflict", 1)

item = CreatePersonaItem(
    name="Typed in Python",
    description="Made by a client that nobody wrote.",
    instructions="Play somebody who checks types.",
    color_id=color_id,
    icon_id=icon_id,
)
created = create.sync(client=client, body=CreatePersonaRequest(personas=[item]))
assert isinstance(created, CreatePersonaResponse), created
persona_id = created.results[0].persona_id
assert persona_id

page = search.sync(client=client, body=SearchPersonaRequest(search="in python", page_size=24))
assert isinstance(page, SearchPersonaResponse), page
assert page.total_count == 1
assert page.personas
assert str(page.personas[0].persona_id) == persona_id
everything = search.sync(client=client, body=SearchPersonaRequest())
assert isinstance(everything, SearchPersonaResponse), everything

file = export.sync(client=client, body=ExportPersonasRequest(search="in python"))
assert isinstance(file, ExportPersonasResponse), file
found = download.sync_detailed(client=client, upload_id=file.upload_id)
assert found.status_code == HTTPStatus.FOUND
rows = client.get_httpx_client().get(found.headers["location"])
assert "Typed in Python" in rows.text

gone = delete.sync(client=client, body=DeletePersonaRequest(persona_ids=[persona_id]))
assert isinstance(gone, DeletePersonaResponse), gone
