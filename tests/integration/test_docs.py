"""docs: what the documentation says, held against what the service works with and what it really stores."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import pytest
from jsonschema import Draft202012Validator

from personas.contract.registry import ARTIFACT
from personas.domain.permissions import WRITING_ROLES
from personas.store import keys
from personas.store.attributes import Item, decode_item
from personas_tools import layout
from personas_tools.layout import Attribute
from personas_tools.template import TableRequest
from support.world import CARE, GROUP, LEGAL, NEEDED, NOBODY, SALES, World, fault

RESOURCES: Final = {
    "names", "descriptions", "colors", "icons", "instructions", "flags", "departments", "examples",
    "parameter_fields", "parameters", "fields", "voices",
}  # fmt: skip
PERMISSIONS: Final = ["has_access", "can_edit", "can_delete", "can_duplicate", "can_create", "can_draft"]

KINDS: Final[Mapping[str, tuple[Attribute, ...]]] = {
    "persona": layout.PERSONA,
    "resource": layout.CATALOGUE_ENTRY,
    "draft": layout.DRAFT,
    "names": layout.TEXT_ENTRY,
    "examples": layout.TEXT_ENTRY,
}
"""The prefixes of the items' sort keys, and their descriptions in the layout."""


@pytest.fixture
def documentation(world: World) -> dict[str, Any]:
    answer = world.client("learner").call("docs")
    assert answer.status == 200, answer.text
    return answer.body


def named(entries: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {entry["name"]: entry for entry in entries}


class TestWhatItSays:
    def test_the_parts_of_the_contract_are_all_there(self, documentation: dict[str, Any]) -> None:
        assert (documentation["name"], documentation["artifact"]["name"]) == ("persona", "persona")
        assert [entry["name"] for entry in documentation["entries"]] == ["persona_drafts"]
        assert set(named(documentation["resources"])) == RESOURCES
        assert len(documentation["resources"]) == len(RESOURCES)
        assert [permission["name"] for permission in documentation["permissions"]] == PERMISSIONS
        assert [operation["name"] for operation in documentation["api_operations"]] == list(ARTIFACT)

    def test_everything_is_described(self, documentation: dict[str, Any]) -> None:
        described = [
            documentation["artifact"],
            *documentation["entries"],
            *documentation["resources"],
            *documentation["permissions"],
            *documentation["api_operations"],
            *documentation["page_metadata"].values(),
        ]
        assert all(len(each["description"]) > len("A short one.") for each in described)

    def test_params_are_the_fields_of_the_body(self, documentation: dict[str, Any]) -> None:
        operations = named(documentation["api_operations"])
        params = named(operations["create"]["params"])

        assert params["personas"] == {
            "name": "personas", "type": "CreatePersonaItem[]", "required": True, "default": None,
        }  # fmt: skip
        assert params["personas[].department_ids"]["type"] == "uuid[] | null"
        assert named(operations["search"]["params"])["page_size"]["default"] == 12
        assert "group_id" not in params
        assert operations["refresh"]["params"] == []

    def test_a_resource_names_the_fields_that_are_about_it(self, documentation: dict[str, Any]) -> None:
        about = {
            resource["name"]: {param["name"] for operation in resource["operations"] for param in operation["params"]}
            for resource in documentation["resources"]
        }
        assert about["colors"] == {
            "color_search", "color_show_selected", "color_id", "personas[].color", "personas[].color_id",
        }  # fmt: skip
        assert about["parameters"] == {"parameter_ids"}
        assert about["fields"] == {"field_ids", "field_search"}

    def test_permissions_say_which_roles_write(self, documentation: dict[str, Any]) -> None:
        described = named(documentation["permissions"])["can_create"]["description"]
        assert [role for role in WRITING_ROLES if role not in described] == []

    def test_views_are_those_that_refresh_tells_of(self, documentation: dict[str, Any], world: World) -> None:
        refreshed = set(world.client("root").call("refresh").body["refreshed_views"])
        documented = {
            part["materialized_view"]["name"]
            for part in (documentation["artifact"], *documentation["resources"])
            if part["materialized_view"]
        }
        assert documented == {"personas_search", "personas_texts"}
        assert documented < refreshed


class TestSchemas:
    """Tests that an operation's real answers are valid under the schema that the documentation gives."""

    @pytest.fixture
    def answers(self, world: World) -> dict[str, Any]:
        client = world.client("root")
        persona_id = world.save(department_ids=[CARE], examples=["Hello."])
        bodies: dict[str, object] = {
            "get": {"persona_id": persona_id},
            "search": {},
            "create": {"personas": [NEEDED, {"name": "x"}]},
            "update": {"personas": [{"persona_id": persona_id, "name": "Bo"}]},
            "duplicate": {"persona_id": persona_id},
            "draft": {"name": "Bo"},
            "drafts": None,
            "docs": {"entity_id": persona_id},
            "refresh": None,
            "delete": {"persona_ids": [persona_id]},
        }
        return {operation: client.call(operation, body).body for operation, body in bodies.items()}

    def test_describe_the_answers(self, answers: dict[str, Any]) -> None:
        operations = named(answers["docs"]["api_operations"])
        for operation, answer in answers.items():
            schema = operations[operation]["returns"]
            Draft202012Validator.check_schema(schema)
            assert [error.message for error in Draft202012Validator(schema).iter_errors(answer)] == []

    def test_refuse_another_answer(self, documentation: dict[str, Any]) -> None:
        schema = named(documentation["api_operations"])["duplicate"]["returns"]
        assert not Draft202012Validator(schema).is_valid({"success": "yes", "persona_id": NOBODY, "message": ""})


class TestTitles:
    def test_without_an_id(self, documentation: dict[str, Any]) -> None:
        assert {page: of["title"] for page, of in documentation["page_metadata"].items()} == {
            "list": "Personas", "detail": "Persona", "new": "New persona",
        }  # fmt: skip

    def test_with_the_name_of_a_persona(self, world: World) -> None:
        persona_id = world.save(name="Ada, nurse", department_ids=[CARE])

        pages = world.client("coach").call("docs", {"entity_id": persona_id}).body["page_metadata"]

        assert pages["detail"]["title"] == "Ada, nurse"
        assert pages["list"]["title"] == "Personas"

    def test_do_not_stay_for_the_next_caller(self, world: World) -> None:
        client = world.client("root")
        client.call("docs", {"entity_id": world.save(name="Ada, nurse")})

        assert client.call("docs").body["page_metadata"]["detail"]["title"] == "Persona"

    @pytest.mark.parametrize("departments", [[SALES], [LEGAL, SALES]])
    def test_not_of_one_that_cannot_be_seen(self, world: World, departments: list[str]) -> None:
        persona_id = world.save(name="Secret", department_ids=departments)

        answer = world.client("coach").call("docs", {"entity_id": persona_id})

        assert (answer.status, answer.body["code"]) == (404, "not_found")
        assert "Secret" not in answer.text

    def test_not_of_one_that_never_was(self, world: World) -> None:
        answer = world.client("root").call("docs", {"entity_id": NOBODY})

        assert fault(answer) == (404, "not_found")
        assert answer.body["detail"] == f"There is no persona {NOBODY}."

    @pytest.mark.parametrize(("who", "told"), [("coach", (404, "not_found")), ("root", (409, "unreadable"))])
    def test_not_of_one_that_cannot_be_read(self, world: World, who: str, told: tuple[int, str]) -> None:
        persona_id = world.save()
        world.set(keys.persona(GROUP, persona_id), "row", "damaged")

        assert fault(world.client(who).call("docs", {"entity_id": persona_id})) == told

    def test_not_of_a_deleted_one(self, world: World) -> None:
        persona_id = world.save()
        world.client("root").call("delete", {"persona_ids": [persona_id]})

        assert world.client("root").call("docs", {"entity_id": persona_id}).status == 404


class TestLayout:
    """The layout that the documentation tells is that of the items that the operations leave behind."""

    @pytest.fixture
    def items(self, world: World) -> list[Item]:
        client = world.client("root")
        kept, gone = world.save(examples=["Hello."]), world.save()
        client.call("update", {"personas": [{"persona_id": kept, "name": "Bo"}]})
        client.call("duplicate", {"persona_id": kept})
        client.call("delete", {"persona_ids": [gone]})
        draft = {"input_draft_id": world.draft(), "expected_version": 1}
        lists = ("example_ids", "department_ids", "parameter_field_ids", "voice_ids")
        singles = ("name", "description", "instructions", "color_id", "icon_id", "flag_id")
        client.call("draft", {**draft, **dict.fromkeys(singles), **{name: [] for name in lists}})
        world.draft(name="Bo", examples=["Hello."])
        return [decode_item(raw) for raw in world.aws.dynamodb.scan(TableName=world.table.name)["Items"]]

    @pytest.mark.parametrize("kind", KINDS)
    def test_is_what_is_stored(self, items: list[Item], kind: str) -> None:
        found = [item for item in items if str(item["sk"]).startswith(f"{kind}#")]
        attributes = {attribute.name: attribute for attribute in KINDS[kind]}
        types = {"string": str, "number": int, "boolean": bool, "binary": bytes, "map": dict}

        assert found
        for item in found:
            assert item.keys() <= attributes.keys()
            assert {name for name, attribute in attributes.items() if attribute.always} <= item.keys()
            assert [name for name in item if type(item[name]) is not types[attributes[name].type]] == []
        # Nothing is said that no item has.
        assert {name for item in found for name in item} == attributes.keys()

    def test_is_that_of_the_template(self, table_definitions: Mapping[str, TableRequest]) -> None:
        table = table_definitions[layout.TABLE].arguments
        types = {
            definition["AttributeName"]: definition["AttributeType"] for definition in table["AttributeDefinitions"]
        }
        assert [key["AttributeName"] for key in table["KeySchema"]] == [each.name for each in layout.KEY]
        described = {each.name: each.type for each in (*layout.PERSONA, *layout.DRAFT)}
        assert {described[name] for name in types if name in described} == {"string"}
        assert {types[name] for name in types if name in described} == {"S"}
        projected = table["LocalSecondaryIndexes"][0]["Projection"]["NonKeyAttributes"]
        assert set(projected) <= {each.name for each in layout.PERSONA}

    def test_tables_name_their_items(self, documentation: dict[str, Any]) -> None:
        (table,) = documentation["artifact"]["tables"]
        assert (table["name"], [column["name"] for column in table["columns"]]) == (
            "PersonasTable",
            [attribute.name for attribute in layout.PERSONA],
        )
        for resource in documentation["resources"]:
            (table,) = resource["tables"]
            assert table["columns"]
        assert keys.PERSONAS == "persona#"
