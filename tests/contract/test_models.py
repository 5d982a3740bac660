"""The models against the contract: a literal table of every type, and what a value may and may not be."""

import json
import unicodedata
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Final
from uuid import UUID

import pytest
from pydantic import BaseModel, ValidationError

from personas.contract import (
    base,
    compare,
    create,
    delete,
    docs,
    draft,
    drafts,
    duplicate,
    export,
    field_values,
    get,
    history,
    refresh,
    resources,
    restore,
    results,
    search,
    sections,
    update,
)
from personas.contract.base import ReadRequest, Rejected, WireModel, WriteItem, WriteRequest
from personas.contract.download import DownloadResponse
from personas.contract.persona_fields import FIELDS, TEXT_FIELDS, PersonaField
from personas.contract.problems import FAULTS_MAX, FieldError, Problem, field_errors, pointer
from personas.contract.registry import ARTIFACT, OPERATIONS, PREFIX, ROUTES

ID: Final = "0b0c5f6e-1f2a-4c3d-8e4f-a0b1c2d3e4f5"
OTHER: Final = "11111111-2222-4333-8444-555555555555"
NEEDED: Final = {"name": "N", "color": "Red", "icon": "star", "instructions": "Be kind."}

SECTION: Final = (
    "show:boolean=false required:boolean=false suggestions:[uuid]|null=null show_ai_generate:boolean=false "
    "tool_id:uuid|null=null link_tool_id:uuid|null=null "
)
PAIRS: Final = (
    "name_id:uuid|null=null name:string|null=null color_id:uuid|null=null color:string|null=null "
    "icon_id:uuid|null=null icon:string|null=null instructions_id:uuid|null=null instructions:string|null=null "
    "description_id:uuid|null=null description:string|null=null active_flag_id:uuid|null=null "
    "active_flag:boolean|null=null department_ids:[uuid]|null=null departments:[string]|null=null "
    "parameter_field_ids:[uuid]|null=null parameter_fields:[string]|null=null example_ids:[uuid]|null=null "
    "examples:[string]|null=null voice_ids:[uuid]|null=null voices:[string]|null=null "
)
GROUP: Final = "group_id:string|null=null "
FILTER: Final = (
    "search:string|null=null scenario_ids:[uuid]|null=null field_ids:[uuid]|null=null "
    "filter_department_ids:[uuid]|null=null "
)

# name:type for a required field, name:type=default otherwise; uuid and time are strings of that format.
TYPES: Final[Mapping[type[BaseModel], str]] = {
    get.GetPersonaRequest: (
        "persona_id:uuid|null=null draft_id:uuid|null=null color_search:string|null=null icon_search:string|null=null "
        "descriptions_search:string|null=null instructions_search:string|null=null "
        "parameter_field_search:string|null=null parameter_ids:[uuid]|null=null color_show_selected:boolean|null=null "
        "icon_show_selected:boolean|null=null parameter_field_show_selected:boolean|null=null"
    ),
    get.GetPersonaResponse: (
        "actor_name:string|null=null persona_exists:boolean|null=null can_edit:boolean|null=null "
        "disabled_reason:string|null=null draft_version:integer|null=null group_id:uuid|null=null "
        "basic_show_ai_generate:boolean|null=null content_show_ai_generate:boolean|null=null "
        "parameters_step_show_ai_generate:boolean|null=null names:PersonaNameSection|null=null "
        "descriptions:PersonaDescriptionSection|null=null colors:PersonaColorSection|null=null "
        "icons:PersonaIconSection|null=null instructions:PersonaInstructionSection|null=null "
        "flags:PersonaFlagSection|null=null departments:PersonaDepartmentSection|null=null "
        "parameter_fields:PersonaParameterFieldSection|null=null examples:PersonaExampleSection|null=null "
        "parameters:PersonaParameterSection|null=null voices:PersonaVoiceSection|null=null "
        "fields:[Field]|null=null resolved_parameter_ids:[string]|null=null version:integer|null=null"
    ),
    search.SearchPersonaRequest: FILTER
    + (
        "scenario_search:string|null=null field_search:string|null=null department_search:string|null=null "
        "color_search:string|null=null icon_search:string|null=null voice_search:string|null=null "
        "instruction_search:string|null=null page_size:integer|null=12 page_offset:integer|null=0"
    ),
    search.SearchPersonaResponse: (
        "actor_name:string|null=null personas:[ListPersonaApiPersona]|null=null "
        "scenario_filter:ListFilterSection|null=null field_filter:ListFilterSection|null=null "
        "department_filter:ListFilterSection|null=null color_filter:ListFilterSection|null=null "
        "icon_filter:ListFilterSection|null=null voice_filter:ListFilterSection|null=null "
        "instruction_filter:ListFilterSection|null=null total_count:integer|null=null "
        "import_fields:[ImportField]|null=null"
    ),
    search.ListPersonaApiPersona: (
        "persona_id:uuid|null=null name:string|null=null description:string|null=null color:string|null=null "
        "icon:string|null=null department_ids:[uuid]|null=null scenario_ids:[uuid]|null=null "
        "field_ids:[uuid]|null=null is_inactive:boolean|null=null generated:boolean|null=null mcp:boolean|null=null "
        "num_scenarios:integer|null=null num_profiles:integer|null=null can_edit:boolean|null=null "
        "can_duplicate:boolean|null=null can_delete:boolean|null=null updated_at:time|null=null"
    ),
    search.ListFilterSection: (
        "options:[ListFilterOption]|null=null selected_ids:[string]|null=null search:string|null=null"
    ),
    search.ListFilterOption: (
        "id:string|null=null name:string|null=null count:integer|null=null hex_code:string|null=null "
        "value:string|null=null type:string|null=null"
    ),
    search.ImportField: (
        "key:string label:string required:boolean=false multi:boolean=false type:string=string "
        "example:string|null=null description:string|null=null"
    ),
    create.CreatePersonaRequest: GROUP + "personas:[CreatePersonaItem]",
    create.CreatePersonaItem: PAIRS + "id:uuid|null=null",
    create.CreatePersonaResponse: "results:[PersonaResultItem]",
    update.UpdatePersonaRequest: GROUP + "personas:[UpdatePersonaItem]",
    update.UpdatePersonaItem: PAIRS + "persona_id:uuid expected_version:integer|null=null merge:boolean|null=false",
    update.UpdatePersonaResponse: "results:[PersonaResultItem]",
    results.PersonaResultItem: (
        "success:boolean persona_id:string|null=null message:string errors:[ItemError]|null=null "
        "version:integer|null=null code:string|null=null merged:boolean=null conflicts:[FieldConflict]|null=null"
    ),
    results.ItemError: "field:string message:string",
    FieldError: "field:string message:string",
    duplicate.DuplicatePersonaRequest: GROUP + "persona_id:uuid",
    duplicate.DuplicatePersonaResponse: "success:boolean persona_id:uuid message:string",
    history.PersonaHistoryRequest: (
        "persona_id:uuid before_version:integer|null=null page_size:integer|null=20 version:integer|null=null"
    ),
    history.PersonaHistoryResponse: (
        "persona_id:uuid current_version:integer deleted:boolean versions:[PersonaVersion] "
        "next_before_version:integer|null pending:[integer]"
    ),
    history.PersonaVersion: (
        "version:integer kind:string at:time changed_by:ChangedBy|null mcp:boolean changed:[string] "
        "restored_from:integer|null values:FieldValues|null"
    ),
    field_values.ChangedBy: "profile_id:uuid name:string|null",
    field_values.FieldValues: (
        "name:string|null description:string|null instructions:string|null color:NamedEntry|null icon:NamedEntry|null "
        "active:NamedEntry|null departments:[NamedEntry] parameter_fields:[NamedEntry] examples:[string] "
        "voices:[NamedEntry]"
    ),
    field_values.NamedEntry: "id:uuid name:string|null",
    compare.ComparePersonaRequest: (
        "persona_id:uuid from_version:integer to_version:integer|null=null draft_id:uuid|null=null"
    ),
    compare.ComparePersonaResponse: (
        "persona_id:uuid from_version:integer to_version:integer differences:[FieldDifference]"
    ),
    restore.RestorePersonaRequest: (GROUP + "persona_id:uuid version:integer expected_version:integer|null=null"),
    restore.RestorePersonaResponse: "success:boolean persona_id:uuid version:integer message:string",
    delete.DeletePersonaRequest: GROUP + "persona_ids:[uuid]",
    delete.DeletePersonaResponse: "results:[DeletePersonaResult]",
    results.DeletePersonaResult: "success:boolean persona_id:string message:string code:string|null=null",
    draft.PatchPersonaDraftRequest: GROUP
    + (
        "input_draft_id:uuid|null=null expected_version:integer=0 merge:boolean|null=false "
        "name:string|null=null name_id:uuid|null=null "
        "description:string|null=null description_id:uuid|null=null instructions:string|null=null "
        "instructions_id:uuid|null=null examples:[string]|null=null example_ids:[uuid]|null=null "
        "color_id:uuid|null=null icon_id:uuid|null=null flag_id:uuid|null=null active_flag_id:uuid|null=null "
        "department_ids:[uuid]|null=null parameter_field_ids:[uuid]|null=null voice_ids:[uuid]|null=null"
    ),
    draft.PatchPersonaDraftResponse: (
        "success:boolean draft_id:uuid new_version:integer message:string form_state:DraftFormState merged:boolean=null"
    ),
    results.DraftFormState: (
        "name_id:uuid|null=null description_id:uuid|null=null instructions_id:uuid|null=null color_id:uuid|null=null "
        "icon_id:uuid|null=null active_flag_id:uuid|null=null department_ids:[uuid]=null example_ids:[uuid]=null "
        "parameter_field_ids:[uuid]=null voice_ids:[uuid]=null"
    ),
    drafts.GetPersonaDraftsResponse: "entries:[GetPersonaDraftResponse]|null=null",
    drafts.GetPersonaDraftResponse: (
        "id:uuid version:integer created_at:time generated:boolean mcp:boolean active:boolean group_id:uuid "
        "session_id:uuid name_ids:[uuid] description_ids:[uuid] instruction_ids:[uuid] color_ids:[uuid] "
        "icon_ids:[uuid] flag_ids:[uuid] department_ids:[uuid] parameter_field_ids:[uuid] example_ids:[uuid] "
        "voice_ids:[uuid] profile_ids:[uuid]"
    ),
    docs.PersonaDocsRequest: "entity_id:uuid|null=null",
    docs.PersonaDocsResponse: (
        "name:string type:string description:string artifact:DocsResponse|null=null entries:[DocsResponse] "
        "resources:[DocsResponse] permissions:[OperationInfo] api_operations:[OperationInfo] "
        "page_metadata:DocsApiResponse|null=null"
    ),
    docs.DocsResponse: (
        "name:string type:string description:string materialized_view:DocsView|null=null tables:[DocsTable] "
        "operations:[OperationInfo]"
    ),
    docs.DocsView: "name:string definition:string columns:[DocsColumn]",
    docs.DocsTable: "name:string columns:[DocsColumn]",
    docs.DocsColumn: "name:string type:string nullable:boolean",
    docs.OperationInfo: "name:string description:string params:[OperationParam] returns:object|null=null",
    docs.OperationParam: "name:string type:string required:boolean default:any=null",
    docs.DocsApiResponse: "list:PageTitle detail:PageTitle new:PageTitle",
    docs.PageTitle: "title:string description:string",
    export.ExportPersonasRequest: FILTER + "persona_id:uuid|null=null",
    export.ExportPersonasResponse: "upload_id:uuid file_name:string row_count:integer",
    refresh.PersonaRefreshResponse: "success:boolean refreshed_views:[string] invalidated_tags:[string]",
    sections.PersonaNameSection: SECTION + "resource:Name|null=null resources:[Name]|null=null",
    sections.PersonaDescriptionSection: (SECTION + "resource:Description|null=null resources:[Description]|null=null"),
    sections.PersonaColorSection: SECTION + "resource:Color|null=null resources:[Color]|null=null",
    sections.PersonaIconSection: SECTION + "resource:Icon|null=null resources:[Icon]|null=null",
    sections.PersonaInstructionSection: (SECTION + "resource:Instruction|null=null resources:[Instruction]|null=null"),
    sections.PersonaFlagSection: (
        SECTION + "current:PersonaFlagConfig|null=null resources:[PersonaFlagConfig]|null=null"
    ),
    sections.PersonaDepartmentSection: SECTION + "current:[Department]|null=null resources:[Department]|null=null",
    sections.PersonaParameterFieldSection: (
        SECTION + "current:[ParameterField]|null=null resources:[ParameterField]|null=null"
    ),
    sections.PersonaExampleSection: SECTION + "current:[Example]|null=null resources:[Example]|null=null",
    sections.PersonaParameterSection: SECTION + "current:[Parameter]|null=null resources:[Parameter]|null=null",
    sections.PersonaVoiceSection: SECTION + "current:[Voice]|null=null resources:[Voice]|null=null",
    resources.Name: "id:uuid|null=null name:string|null=null generated:boolean|null=null",
    resources.Description: "id:uuid|null=null description:string|null=null generated:boolean|null=null",
    resources.Color: (
        "id:uuid|null=null name:string|null=null description:string|null=null hex_code:string|null=null "
        "generated:boolean|null=null"
    ),
    resources.Icon: (
        "id:uuid|null=null name:string|null=null description:string|null=null value:string|null=null "
        "generated:boolean|null=null"
    ),
    resources.Instruction: "id:uuid|null=null template:string|null=null generated:boolean|null=null",
    resources.Department: (
        "department_id:uuid|null=null name:string|null=null description:string|null=null generated:boolean|null=null"
    ),
    resources.ParameterField: (
        "id:uuid|null=null field_id:uuid|null=null parameter_id:uuid|null=null name:string|null=null "
        "description:string|null=null generated:boolean|null=null"
    ),
    resources.Example: "id:uuid|null=null example:string|null=null generated:boolean|null=null",
    resources.Voice: "id:uuid|null=null voice:string|null=null generated:boolean|null=null",
    resources.PersonaFlagConfig: (
        "key:string label:string description:string|null=null icon_id:string|null=null flag_option_id:uuid|null=null "
        "show:boolean=true required:boolean=false generated:boolean|null=null"
    ),
    resources.Parameter: (
        "id:uuid name:string description:string value:string department_ids:[uuid] persona_parameter:boolean "
        "document_parameter:boolean scenario_parameter:boolean video_parameter:boolean field_ids:[uuid] "
        "created_at:time active:boolean generated:boolean mcp:boolean"
    ),
    resources.Field: (
        "id:uuid name:string description:string value:string department_ids:[uuid] conditional_parameter_ids:[uuid] "
        "created_at:time active:boolean generated:boolean mcp:boolean"
    ),
}

FORMATS: Final = {"uuid": "uuid", "date-time": "time"}


def type_of(schema: Mapping[str, object]) -> str:
    """Return a JSON schema in the notation of the table."""
    match schema:
        case {"$ref": str(reference)}:
            return reference.rsplit("/", 1)[-1]
        case {"anyOf": list(members)}:
            return "|".join(type_of(member) for member in members)
        case {"type": "array", "items": dict(items)}:
            return f"[{type_of(items)}]"
        case {"format": str(form)}:
            return FORMATS[form]
        case {"type": str(kind)}:
            return kind
        case _:
            return "any"


def written(value: object) -> str:
    """Return a default in JSON, strings without quotes."""
    return value if isinstance(value, str) else json.dumps(value)


def fields_of(model: type[BaseModel]) -> dict[str, str]:
    """Return the types and defaults of a model: from its JSON schema, or from the model if a schema cannot say it."""
    schema = model.model_json_schema()
    required = schema.get("required", [])
    defaults = {
        name: field.get_default(call_default_factory=True) if not field.is_required() else None
        for name, field in model.model_fields.items()
    }
    return {
        name: type_of(part) + ("" if name in required else f"={written(defaults[name])}")
        for name, part in schema["properties"].items()
    }


def faults(call: Callable[[], object]) -> dict[str, str]:
    """Return the fields at fault and the reasons, of a model that must not be valid."""
    with pytest.raises(ValidationError) as caught:
        call()
    errors = field_errors([dict(error) for error in caught.value.errors()])
    return {error.field: error.message for error in errors}


def rejection(item: object, request: type[BaseModel] = create.CreatePersonaRequest) -> dict[str, str]:
    """Return the faults of the only item of a bulk call, which must be rejected."""
    (judged,) = request.model_validate({"personas": [item]}).personas
    assert isinstance(judged, Rejected)
    assert judged.raw is item
    return {error.field: error.message for error in judged.errors}


def created(**values: object) -> create.CreatePersonaItem:
    return create.CreatePersonaItem.model_validate({**NEEDED, **values})


def updated(**values: object) -> update.UpdatePersonaItem:
    return update.UpdatePersonaItem.model_validate({"persona_id": ID, **values})


def patched(**values: object) -> draft.PatchPersonaDraftRequest:
    return draft.PatchPersonaDraftRequest.model_validate(values)


# --- the shapes ---


@pytest.mark.parametrize("model", TYPES, ids=lambda model: model.__name__)
def test_type_has_the_fields_of_the_contract(model: type[BaseModel]) -> None:
    expected = dict(field.split(":", 1) for field in TYPES[model].split())

    assert fields_of(model) == expected


def test_every_model_of_the_registry_is_in_the_table() -> None:
    for operation in ARTIFACT.values():
        assert operation.response is not None
        assert operation.response in TYPES
        assert operation.request is None or operation.request in TYPES


@pytest.mark.parametrize("model", TYPES, ids=lambda model: model.__name__)
def test_every_type_and_field_is_described(model: type[BaseModel]) -> None:
    assert model.__doc__
    for name, part in model.model_json_schema()["properties"].items():
        assert part.get("description"), name


def test_the_list_of_drafts_has_each_field_of_the_form() -> None:
    # The reference's names are its own here, such as flag_ids: so they can only be counted.
    ids = {name for name in drafts.GetPersonaDraftResponse.model_fields if name.endswith("_ids")} - {"profile_ids"}
    assert len(ids) == len(FIELDS)


def test_requests_are_tolerant_or_strict_by_what_they_do() -> None:
    for operation in ARTIFACT.values():
        assert operation.response is not None
        assert issubclass(operation.response, WireModel)
        if operation.request is not None:
            assert issubclass(operation.request, WriteRequest if operation.writes else ReadRequest)


def test_a_form_state_leaves_out_the_lists_that_a_draft_never_spoke_of() -> None:
    told = results.DraftFormState(voice_ids=[]).model_dump(mode="json")

    assert [name for name in told if name.endswith("_ids")] == ["voice_ids"]
    assert told["name_id"] is None


def test_a_typo_in_an_answer_fails_where_it_is_built() -> None:
    with pytest.raises(ValidationError):
        results.DraftFormState.model_validate({"flag_id": ID})


# --- the registry ---


def test_the_registry_is_the_reference() -> None:
    assert list(OPERATIONS) == [
        "get", "search", "create", "update", "duplicate", "delete", "draft", "drafts", "docs", "export", "refresh",
    ]  # fmt: skip
    assert PREFIX == "/api/v5/artifacts/personas"
    for name, operation in OPERATIONS.items():
        assert operation.path == f"{PREFIX}/{name}"
        assert operation.method == ("PATCH" if name == "draft" else "POST")
        assert operation.idempotent_header is operation.writes
        assert operation.writes is (name in {"create", "update", "duplicate", "delete", "draft"})
        assert operation.if_match is (name == "update") is (412 in operation.errors)
        assert list(operation.errors) == sorted(operation.errors)
        assert operation.success == 200


def test_the_versions_of_a_persona_go_beyond_the_reference() -> None:
    beyond = {name: ARTIFACT[name] for name in ARTIFACT.keys() - OPERATIONS.keys()}
    assert beyond.keys() == {"history", "compare", "restore"}
    for name, operation in beyond.items():
        assert (operation.method, operation.path, operation.success) == ("POST", f"{PREFIX}/{name}", 200)
        assert operation.idempotent_header is operation.writes is (name == "restore")
        assert not operation.if_match
        assert list(operation.errors) == sorted(operation.errors)


def test_the_other_routes_are_the_download_and_the_mcp_server() -> None:
    assert ROUTES.keys() - ARTIFACT.keys() == {"download", "mcp"}


def test_the_mcp_server_answers_in_the_form_of_its_protocol() -> None:
    server = ROUTES["mcp"]
    assert (server.method, server.path) == ("POST", "/mcp")
    assert server.routes[0] == ("ANY", "/mcp")
    assert server.failure is server.response
    assert {status for status in server.own_answers if status >= 400} == {*server.errors} - {429}


def test_the_download_has_a_route_of_its_own() -> None:
    download = ROUTES["download"]
    assert (download.method, download.path) == ("GET", "/api/v5/uploads/{upload_id}/download")
    assert (download.success, download.request, download.response) == (302, None, DownloadResponse)
    assert fields_of(DownloadResponse) == {"url": "string", "expires_at": "time"}
    assert list(download.path_parameters) == ["upload_id"]


# --- ids ---


@pytest.mark.parametrize("given", [ID, ID.upper(), ID.replace("-", ""), UUID(ID).hex.upper()])
def test_an_id_becomes_canonical(given: str) -> None:
    assert get.GetPersonaRequest(persona_id=given).persona_id == ID


@pytest.mark.parametrize(
    "given",
    [
        "", " ", "x", ID + " ", "\n" + ID, "{" + ID + "}", "urn:uuid:" + ID, ID[:-1], ID + "0", ID.replace("-", "", 1),
        "0b0c5f6e1-f2a-4c3d-8e4f-a0b1c2d3e4f5", ID.replace("0", "\uff10"), ID.replace("5", "g"), ID + "\n", 7, True,
        {}, UUID(ID), [ID],
    ],
)  # fmt: skip
def test_what_is_not_a_uuid_is_refused(given: object) -> None:
    assert faults(lambda: get.GetPersonaRequest.model_validate({"persona_id": given})) == {
        "/persona_id": "must be a UUID"
    }


def test_lists_of_ids_are_canonical_and_each_counts_once() -> None:
    item = created(department_ids=[ID.upper(), OTHER, ID])

    assert item.department_ids == [ID, OTHER]
    assert rejection({**NEEDED, "voice_ids": [ID, "x", 3]}) == {
        "/voice_ids/1": "must be a UUID",
        "/voice_ids/2": "must be a UUID",
    }


# --- texts ---


@pytest.mark.parametrize(
    ("field", "limit"), [("name", 200), ("description", 2_000), ("instructions", 32_000), ("color", 200), ("icon", 200)]
)
def test_a_text_may_be_as_long_as_its_limit_and_no_longer(field: str, limit: int) -> None:
    message = f"must have at most {limit} characters"

    # Decomposed, this is twice as many code points; only the composed ones count, and blanks at the ends do not.
    assert getattr(created(**{field: " " + "e\u0301" * limit + "\n"}), field) == "é" * limit
    assert getattr(created(**{field: "🙂" * limit}), field) == "🙂" * limit
    assert rejection({**NEEDED, field: "a" * (limit + 1)}) == {f"/{field}": message}
    assert rejection({**NEEDED, field: "e\u0301" * (limit + 1)}) == {f"/{field}": message}
    assert rejection({**NEEDED, field: "\u0301" * 100 * limit}) == {f"/{field}": message}


def test_the_texts_in_lists_have_limits_too() -> None:
    assert created(examples=["a" * 2_000]).examples == ["a" * 2_000]
    assert created(voices=["a" * 200]).voices == ["a" * 200]
    assert rejection({**NEEDED, "examples": ["a", "a" * 2_001], "voices": ["a" * 201], "departments": [" "]}) == {
        "/examples/1": "must have at most 2000 characters",
        "/voices/0": "must have at most 200 characters",
        "/departments/0": "must not be empty",
    }


@pytest.mark.parametrize(
    ("field", "limit", "entry"),
    [
        ("examples", 50, "example {}"),
        ("example_ids", 50, "00000000-0000-4000-8000-{:012d}"),
        ("department_ids", 100, "00000000-0000-4000-8000-{:012d}"),
        ("parameter_field_ids", 100, "00000000-0000-4000-8000-{:012d}"),
        ("voice_ids", 100, "00000000-0000-4000-8000-{:012d}"),
        ("departments", 100, "department {}"),
        ("parameter_fields", 100, "field {}"),
        ("voices", 100, "voice {}"),
    ],
)
def test_a_list_may_be_as_long_as_its_limit_and_no_longer(field: str, limit: int, entry: str) -> None:
    entries = [entry.format(number) for number in range(limit + 1)]

    assert getattr(created(**{field: entries[:-1]}), field) == entries[:-1]
    assert rejection({**NEEDED, field: entries}) == {f"/{field}": f"must have at most {limit} entries"}


def test_texts_are_in_nfc_and_trimmed() -> None:
    given = " \u00a0\u2003A\u030angstro\u0308m \t\n"

    item = created(name=given, examples=[given, "Ångström"])

    assert item.name == "Ångström"
    assert unicodedata.is_normalized("NFC", item.name)
    assert item.examples == ["Ångström"]
    assert created(instructions="a\n\n b").instructions == "a\n\n b"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("a\x00b", "must not contain the character U+0000"),
        ("\x00", "must not contain the character U+0000"),
        ("a\ud800", "must not contain a lone surrogate (U+D800 to U+DFFF)"),
        ("\udfff", "must not contain a lone surrogate (U+D800 to U+DFFF)"),
        (5, "must be a string"),
        (True, "must be a string"),
        (["a"], "must be a string"),
        ({"a": 1}, "must be a string"),
    ],
)
def test_what_cannot_be_stored_as_a_text_is_refused_everywhere(given: object, message: str) -> None:
    item = {**dict.fromkeys([*NEEDED, "description"], given), "examples": [given], "voices": [given]}

    assert rejection(item) == dict.fromkeys(
        ["/name", "/color", "/icon", "/instructions", "/description", "/examples/0", "/voices/0"], message
    )
    assert faults(lambda: patched(name=given)) == {"/name": message}
    assert faults(lambda: search.SearchPersonaRequest.model_validate({"search": given})) == {"/search": message}


def test_search_strings_stay_as_sent() -> None:
    request = search.SearchPersonaRequest(search=" e\u0301 ", voice_search="", icon_search="%" * 500)

    assert (request.search, request.voice_search, request.color_search) == (" e\u0301 ", "", None)
    assert faults(lambda: search.SearchPersonaRequest(search="a" * 501)) == {
        "/search": "must have at most 500 characters"
    }


# --- absent, null and value ---


def test_create_needs_four_things_each_by_id_or_by_value() -> None:
    required = {f"/{field}": "is required" for field in NEEDED}

    assert rejection({}) == required
    blank = {field: fault for field, fault in required.items() if field != "/instructions"}
    assert rejection(dict.fromkeys(NEEDED, " ")) == blank
    assert rejection({**dict.fromkeys(NEEDED), "name_id": None}) == required
    assert created(name=None, name_id=ID).name_id == ID
    assert created(description="").description is None


@pytest.mark.parametrize("field", ["name", "color", "icon"])
def test_update_takes_the_empty_text_for_nothing(field: str) -> None:
    message = "is required and cannot be cleared"

    assert rejection({"persona_id": ID, field: ""}, update.UpdatePersonaRequest) == {f"/{field}": message}


def test_empty_instructions_are_a_text() -> None:
    assert created(instructions=" ").instructions == ""
    assert updated(instructions="").instructions == ""


def test_create_finds_all_faults_of_an_item_at_once() -> None:
    assert rejection({"name": "a" * 201, "icon_id": "x", "colour": "red"}) == {
        "/name": "must have at most 200 characters",
        "/color": "is required",
        "/icon_id": "must be a UUID",
        "/instructions": "is required",
        "/colour": "unknown field",
    }


@pytest.mark.parametrize("field", FIELDS, ids=attrgetter("name"))
def test_a_thing_is_given_by_id_or_by_value_not_by_both(field: PersonaField) -> None:
    value: object = False if field.kind == "flags" else "a"
    both = {field.id_name: [ID] if field.many else ID, field.name: [value] if field.many else value}
    fault = f"give {field.name} or {field.id_name}, not both"

    assert rejection({**NEEDED, **both})[f"/{field.name}"] == fault
    assert rejection({"persona_id": ID, **both}, update.UpdatePersonaRequest) == {f"/{field.name}": fault}
    if field in TEXT_FIELDS and not field.many:
        assert faults(lambda: patched(**both)) == {f"/{field.name}": fault}
    nothings: list[object] = [None, []] if field.many else [None]
    for nothing in nothings:
        for nothing_in, given_in in ((field.id_name, field.name), (field.name, field.id_name)):
            assert getattr(updated(**{**both, nothing_in: nothing}), given_in) == both[given_in]


@pytest.mark.parametrize("empty", ["", " \n"])
@pytest.mark.parametrize("field", [each.name for each in TEXT_FIELDS if not each.many])
def test_an_empty_text_gives_way_to_an_id(field: str, empty: str) -> None:
    both = {field: empty, f"{field}_id": ID}
    needed = {name: value for name, value in NEEDED.items() if name != field}

    for sent in (created(**{**needed, **both}), updated(**both), patched(**both)):
        assert (getattr(sent, field), getattr(sent, f"{field}_id")) == (None, ID)


def test_update_tells_absent_from_null_from_value() -> None:
    item = updated(description=None, department_ids=None, example_ids=[], voices=["Nova"], active_flag_id=None)

    assert item.given == {
        "persona_id", "description", "department_ids", "example_ids", "voices", "active_flag_id",
    }  # fmt: skip
    assert item.description is None
    assert item.department_ids == []
    assert item.example_ids == []
    assert item.voices == ["Nova"]
    assert item.parameter_field_ids is None
    assert updated(description="").given == {"persona_id", "description"}


@pytest.mark.parametrize("field", NEEDED)
def test_update_cannot_clear_what_is_needed(field: str) -> None:
    message = "is required and cannot be cleared"
    request = update.UpdatePersonaRequest

    assert rejection({"persona_id": ID, field: None}, request) == {f"/{field}": message}
    assert rejection({"persona_id": ID, f"{field}_id": None}, request) == {f"/{field}_id": message}
    assert getattr(updated(**{field: "a", f"{field}_id": None}), field) == "a"
    assert getattr(updated(**{field: None, f"{field}_id": ID}), f"{field}_id") == ID


def test_a_draft_patch_tells_absent_from_null_from_value() -> None:
    patch = patched(name="", description=None, color_id=None, instructions=" x ", examples=None, voice_ids=[])

    assert patch.given == {"name", "description", "color_id", "instructions", "examples", "voice_ids"}
    assert (patch.name, patch.description, patch.color_id, patch.instructions) == (None, None, None, "x")
    assert (patch.examples, patch.voice_ids, patch.example_ids) == ([], [], None)
    assert patched().given == frozenset()


def test_a_draft_takes_examples_by_id_and_by_text_and_passes_over_blank_rows() -> None:
    patch = patched(example_ids=[ID], examples=["a", "", " \n", "a"])

    assert (patch.example_ids, patch.examples) == ([ID], ["a"])
    assert faults(lambda: patched(name="a", name_id=ID)) == {"/name": "give name or name_id, not both"}
    assert faults(lambda: patched(examples="a")) == {"/examples": "must be a list"}
    assert faults(lambda: patched(examples=[1])) == {"/examples/0": "must be a string"}


def test_the_flag_of_a_draft_goes_by_either_name() -> None:
    for patch in (patched(flag_id=ID), patched(active_flag_id=ID), patched(flag_id=ID, active_flag_id=ID.upper())):
        assert patch.active_flag_id == ID
        assert "active_flag_id" in patch.given
    for cleared in (patched(flag_id=None), patched(active_flag_id=None), patched(flag_id=None, active_flag_id=None)):
        assert cleared.active_flag_id is None
        assert "active_flag_id" in cleared.given
    assert "active_flag_id" not in patched(name="a").given


@pytest.mark.parametrize(("flag", "active_flag"), [(ID, OTHER), (ID, None), (None, ID)])
def test_the_two_names_of_a_drafts_flag_must_agree(flag: str | None, active_flag: str | None) -> None:
    assert faults(lambda: patched(flag_id=flag, active_flag_id=active_flag)) == {
        "/active_flag_id": "differs from flag_id, which is the same thing"
    }


@pytest.mark.parametrize(
    "given", [True, False, "", "x", "-1", "1.0", " 1", "1_0", "²", "9" * 5_000, 1.5, 1e300, [], {}]
)
def test_a_number_is_a_json_integer(given: object) -> None:
    assert faults(lambda: patched(expected_version=given)) == {"/expected_version": "must be an integer"}
    assert rejection({"persona_id": ID, "expected_version": given}, update.UpdatePersonaRequest) == {
        "/expected_version": "must be an integer"
    }
    assert faults(lambda: search.SearchPersonaRequest.model_validate({"page_size": given})) == {
        "/page_size": "must be an integer"
    }


def test_a_number_may_be_written_with_a_zero_fraction() -> None:
    page = search.SearchPersonaRequest.model_validate_json('{"page_size": 5.0, "page_offset": 1e2}')

    assert (page.page_size, page.page_offset, patched(expected_version=7.0).expected_version) == (5, 100, 7)


def test_a_string_of_digits_is_a_number() -> None:
    page = search.SearchPersonaRequest.model_validate({"page_size": "24", "page_offset": "048"})

    assert (page.page_size, page.page_offset) == (24, 48)
    assert (patched(expected_version="7").expected_version, updated(expected_version="0").expected_version) == (7, 0)
    assert faults(lambda: search.SearchPersonaRequest.model_validate({"page_size": "101"})) == {
        "/page_size": "must be at most 100"
    }


def test_numbers_have_limits_and_defaults() -> None:
    page = search.SearchPersonaRequest.model_validate({"page_size": None, "page_offset": None})

    assert (page.page_size, page.page_offset) == (12, 0)
    assert search.SearchPersonaRequest(page_size=100, page_offset=10**9).page_size == 100
    assert patched().expected_version == patched(expected_version=None).expected_version == 0
    assert updated().expected_version is updated(expected_version=None).expected_version is None
    assert faults(lambda: search.SearchPersonaRequest(page_size=0, page_offset=-1)) == {
        "/page_size": "must be at least 1",
        "/page_offset": "must be at least 0",
    }
    assert faults(lambda: search.SearchPersonaRequest(page_size=101)) == {"/page_size": "must be at most 100"}
    assert faults(lambda: patched(expected_version=-1)) == {"/expected_version": "must be at least 0"}
    assert faults(lambda: patched(expected_version=10**40)) == {
        "/expected_version": f"must be at most {base.NUMBER_MAX}"
    }


@pytest.mark.parametrize("given", ["true", 1, 0, "", []])
def test_a_switch_is_a_json_boolean(given: object) -> None:
    assert rejection({**NEEDED, "active_flag": given}) == {"/active_flag": "must be true or false"}


# --- aliases and unknown fields ---


def test_get_takes_the_short_names_too_and_prefers_the_long_ones() -> None:
    short = get.GetPersonaRequest.model_validate({"field_search": "a", "field_show_selected": True})
    both = get.GetPersonaRequest.model_validate(
        {
            "field_search": "a",
            "parameter_field_search": "b",
            "field_show_selected": True,
            "parameter_field_show_selected": False,
        }
    )

    assert (short.parameter_field_search, short.parameter_field_show_selected) == ("a", True)
    assert (both.parameter_field_search, both.parameter_field_show_selected) == ("b", False)


def test_read_requests_pass_over_what_they_do_not_know() -> None:
    values = {"persona_id": ID, "from_version": 1}
    for operation in ARTIFACT.values():
        if operation.request is not None and not operation.writes:
            needed = {
                name: values[name] for name, field in operation.request.model_fields.items() if field.is_required()
            }
            request = operation.request.model_validate(
                {"nonsense": 1, "group_id": {"any": "thing"}, "mcp": True, **needed}
            )
            assert request.model_fields_set == needed.keys()


@pytest.mark.parametrize("group", [ID, "x", None, 5, {"a": [1]}])
def test_group_id_is_taken_and_has_no_effect(group: object) -> None:
    request = create.CreatePersonaRequest.model_validate(
        {"group_id": group, "personas": [{**NEEDED, "group_id": group}]}
    )

    (item,) = request.personas
    assert isinstance(item, create.CreatePersonaItem)
    assert "group_id" not in request.given | item.given
    assert "group_id" not in item.model_dump() | request.model_dump()
    assert "group_id" not in create.CreatePersonaItem.model_json_schema()["properties"]
    assert issubclass(create.CreatePersonaItem, WriteItem)
    assert patched(group_id=group).given == frozenset()


@pytest.mark.parametrize("field", ["mcp", "generated", "can_edit", "colour", "id "])
def test_write_requests_name_what_they_do_not_know(field: str) -> None:
    expected = {f"/{field}": "unknown field"}

    assert faults(lambda: patched(**{field: True})) == expected
    assert faults(lambda: duplicate.DuplicatePersonaRequest.model_validate({"persona_id": ID, field: 1})) == expected
    assert faults(lambda: delete.DeletePersonaRequest.model_validate({"persona_ids": [ID], field: 1})) == expected
    assert faults(lambda: create.CreatePersonaRequest.model_validate({"personas": [NEEDED], field: 1})) == expected
    assert rejection({**NEEDED, field: True}) == expected
    assert rejection({"persona_id": ID, field: True}, update.UpdatePersonaRequest) == expected


def test_an_update_has_no_id_and_a_draft_no_active_flag() -> None:
    assert rejection({"persona_id": ID, "id": ID}, update.UpdatePersonaRequest) == {"/id": "unknown field"}
    assert rejection({"name": "a"}, update.UpdatePersonaRequest) == {"/persona_id": "is required"}
    assert faults(lambda: patched(active_flag=True)) == {"/active_flag": "unknown field"}


# --- bulk calls ---


def test_an_item_at_fault_fails_alone() -> None:
    bad = {**NEEDED, "name": 5, "department_ids": [ID, "x"]}
    request = create.CreatePersonaRequest.model_validate({"personas": [NEEDED, bad, "text", None, {**NEEDED}]})

    first, second, third, fourth, fifth = request.personas
    assert isinstance(first, create.CreatePersonaItem)
    assert isinstance(fifth, create.CreatePersonaItem)
    assert second == Rejected(
        errors=(
            FieldError(field="/name", message="must be a string"),
            FieldError(field="/department_ids/1", message="must be a UUID"),
        ),
        raw=bad,
    )
    for entry, raw in ((third, "text"), (fourth, None)):
        assert entry == Rejected(errors=(FieldError(field="", message="must be an object"),), raw=raw)


def test_nothing_that_is_sent_passes_for_a_rejection() -> None:
    forged: dict[str, object] = {"errors": [], "raw": {}}

    assert set(rejection(forged)) == {"/name", "/color", "/icon", "/instructions", "/errors", "/raw"}
    assert faults(lambda: create.CreatePersonaRequest.model_validate({"personas": {}})) == {
        "/personas": "must be a list"
    }


def test_an_id_at_fault_fails_alone() -> None:
    request = delete.DeletePersonaRequest.model_validate({"persona_ids": [ID.upper(), "x", 5, ID]})

    first, second, third, fourth = request.persona_ids
    assert first == fourth == ID
    message = FieldError(field="", message="must be a UUID")
    assert (second, third) == (Rejected((message,), "x"), Rejected((message,), 5))


@pytest.mark.parametrize(
    ("request_model", "field", "item"),
    [
        (create.CreatePersonaRequest, "personas", NEEDED),
        (update.UpdatePersonaRequest, "personas", {"persona_id": ID}),
        (delete.DeletePersonaRequest, "persona_ids", ID),
    ],
)
def test_a_bulk_call_has_one_to_a_thousand_items(request_model: type[BaseModel], field: str, item: object) -> None:
    assert len(getattr(request_model.model_validate({field: [item] * 1_000}), field)) == 1_000
    assert faults(lambda: request_model.model_validate({field: [item] * 1_001})) == {
        f"/{field}": "must have at most 1000 entries"
    }
    assert faults(lambda: request_model.model_validate({field: []})) == {f"/{field}": "must not be empty"}
    assert faults(lambda: request_model.model_validate({field: None})) == {f"/{field}": "must be a list"}
    assert faults(lambda: request_model.model_validate({})) == {f"/{field}": "is required"}


# --- problems ---


def test_pointers_escape_and_can_be_printed() -> None:
    assert pointer([]) == ""
    assert pointer(["a/b", "m~n", 0, ""]) == "/a~1b/m~0n/0/"
    assert pointer(["\x00\ud800\n"]) == "/" + "\N{REPLACEMENT CHARACTER}" * 3
    assert len(pointer(["a" * 1_000])) == 201


def test_field_errors_take_a_prefix_and_skip_what_is_no_part_of_the_document() -> None:
    errors = [{"type": "missing", "loc": ("body", "name"), "msg": "secret", "input": "secret"}]

    assert field_errors(errors, "/personas/3", skip=1) == [FieldError(field="/personas/3/name", message="is required")]


def test_field_errors_never_repeat_what_was_sent() -> None:
    unknown = {"type": "value_error", "loc": ("a",), "msg": "secret", "input": "secret", "ctx": {"error": "secret"}}

    assert field_errors([unknown]) == [FieldError(field="/a", message="is not valid")]
    messages = rejection({**NEEDED, "name": ["secret"], "id": "secret", "voices": "secret", "active_flag": "secret"})
    assert "secret" not in str(messages)


def test_field_errors_are_bounded_and_each_said_once() -> None:
    many = field_errors([{"type": "extra_forbidden", "loc": (f"f{number}",)} for number in range(1_000)])

    assert len(many) == FAULTS_MAX == 100
    assert len(field_errors([{"type": "missing", "loc": ("a",)}] * 2)) == 1


def test_a_lone_surrogate_in_a_field_name_is_a_fault_like_any_other() -> None:
    message = "must not contain a lone surrogate (U+D800 to U+DFFF)"

    assert faults(lambda: patched(**{"\ud800": 1})) == {"": message}
    assert rejection({**NEEDED, "\ud800": 1}) == {"": message}


def test_a_problem_leaves_out_what_it_does_not_have() -> None:
    plain = Problem(
        type="about:blank", title="Not Found", status=404, detail="No such persona.", code="not_found", request_id="r"
    )
    conflict = plain.model_copy(update={"form_state": results.DraftFormState().model_dump(), "expected_version": 0})

    assert plain.body() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "No such persona.",
        "code": "not_found",
        "request_id": "r",
    }
    assert conflict.body()["expected_version"] == 0
    assert conflict.body()["form_state"] == results.DraftFormState().model_dump()
