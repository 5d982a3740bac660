"""Tests of the limits of DynamoDB that neither moto nor the emulator enforces.

They are the sizes of items with the parts that an index projects, the sizes of batches, and the syntax of expressions.
"""

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from string import ascii_letters, digits, punctuation
from typing import Any, Final, NamedTuple
from uuid import uuid4

import pytest
from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords

from personas.contract.base import (
    DESCRIPTION_MAX,
    EXAMPLE_MAX,
    EXAMPLES_MAX,
    INSTRUCTIONS_MAX,
    ITEMS_MAX,
    LIST_MAX,
    NAME_MAX,
    TEXTS_MAX,
)
from personas.domain.profile import ApiKey, Profile
from personas.store import keys
from personas.store.attributes import Item
from personas.store.keys import Key
from personas.store.write_rule import RECENT_WRITES_MAX
from personas_tools.library_store import Entry
from personas_tools.template import Function, TableRequest
from support.aws import Aws, forget
from support.client import Answer
from support.emulated import emulated_aws
from support.faults import Faults, Sent
from support.warm import unguarded_world, warm_client
from support.world import (
    ACTIVE,
    ALTO,
    BASS,
    CARE,
    GROUP,
    HEART,
    MOOD_ANGRY,
    MOOD_CALM,
    NEEDED,
    NOBODY,
    PEOPLE,
    PLUM,
    STAR,
    TEAL,
    World,
    color,
    department,
    entry_id,
    field_row,
    parameter,
    parameter_field_id,
    result,
    text_id,
)

ITEM_MAX: Final = 400 * 1024
"""Bytes of an item together with its entries in local indexes."""
BATCH_READ_MAX: Final = 100
BATCH_WRITE_MAX: Final = 25
TRANSACTION_MAX: Final = 100
PERSONA_ID: Final = "0d6c1a52-5f0b-4b5e-8d0a-2f3f6f1f0a01"
EXPRESSION_MAX: Final = 4 * 1024

# ---- The largest things that the contract allows ---------------------------------------------------------------------


class Alphabet(NamedTuple):
    """The characters of random texts; a share of them is from ``wide``, the others from ``narrow``."""

    narrow: str
    wide: str = ""

    def text(self, draw: random.Random, characters: int, most_bytes: int) -> str:
        """Return a random text of that many characters, or as many as fit; neither end of it is trimmed."""
        narrow, wide = len(self.narrow[0].encode()), len(self.wide[0].encode()) if self.wide else 0
        length = min(characters, most_bytes // narrow)
        wide_ones = min(length, (most_bytes - length * narrow) // (wide - narrow)) if self.wide else 0
        drawn = [*draw.choices(self.wide or self.narrow, k=wide_ones), *draw.choices(self.narrow, k=length - wide_ones)]
        draw.shuffle(drawn)
        return "".join(drawn)


ASCII: Final = ascii_letters + digits + punctuation
TWO: Final = "".join(map(chr, (*range(0x400, 0x482), *range(0x48A, 0x530))))
THREE: Final = "".join(map(chr, range(0x4E00, 0x9FA0)))
FOUR: Final = "".join(map(chr, range(0x100000, 0x10FFF0)))  # for private use: no normalisation touches them

ALPHABETS: Final = [
    pytest.param(Alphabet(ASCII), id="ascii"),
    pytest.param(Alphabet('"\\'), id="what JSON escapes"),
    pytest.param(Alphabet("".join(map(chr, range(1, 9))) + "\\"), id="what JSON escapes most"),
    pytest.param(Alphabet(TWO), id="2 bytes"),
    pytest.param(Alphabet(THREE), id="3 bytes"),
    pytest.param(Alphabet(FOUR), id="4 bytes"),
    pytest.param(Alphabet(ASCII, THREE), id="1 and 3 bytes"),
    pytest.param(Alphabet(ASCII, FOUR), id="1 and 4 bytes"),
]
"""Random texts in these are as incompressible as texts get: the worst for each length of a character, and mixtures."""


class Texts(NamedTuple):
    name: str
    description: str
    instructions: str
    examples: list[str]


def largest_texts(alphabet: Alphabet, examples_bytes: int | None = None) -> Texts:
    """Return texts of every kind of the greatest length, within ``TEXTS_MAX`` together, or with so many of examples."""
    draw = random.Random(f"{alphabet}")
    name = alphabet.text(draw, NAME_MAX, NAME_MAX * 4)
    description = alphabet.text(draw, DESCRIPTION_MAX, DESCRIPTION_MAX * 4)
    instructions = alphabet.text(draw, INSTRUCTIONS_MAX, INSTRUCTIONS_MAX * 4)
    taken = sum(len(text.encode()) for text in (name, description, instructions))
    each = (examples_bytes or TEXTS_MAX - taken) // EXAMPLES_MAX
    return Texts(name, description, instructions, [alphabet.text(draw, EXAMPLE_MAX, each) for _ in range(EXAMPLES_MAX)])


class Links(NamedTuple):
    department_ids: list[str]
    parameter_field_ids: list[str]
    voice_ids: list[str]


def most_links(world: World) -> Links:
    """Add a hundred departments, fields and voices to the group's catalogue."""
    names = [f"Entry {number}" for number in range(LIST_MAX)]
    fields = [entry_id("fields", f"Large/{name}") for name in names]
    large = entry_id("parameters", "Large")
    entries = [
        *(Entry("departments", entry_id("departments", name), department(name)) for name in names),
        *(Entry("voices", entry_id("voices", name), {"voice": name, "generated": False}) for name in names),
        *(Entry("fields", entry, field_row(name)) for entry, name in zip(fields, names, strict=True)),
        Entry("parameters", large, parameter("Large", *fields)),
    ]
    items: list[Item] = [
        {
            **keys.resource(GROUP, entry.kind, entry.id).attributes(),
            "row": entry.row,
            "seq": 1,
            "version": 1,
            "changed": keys.stamp(keys.RESOURCE_CHANGES, world.table.now()),
        }
        for entry in entries
    ]
    for start in range(0, len(items), BATCH_WRITE_MAX):
        world.table.put_many(items[start : start + BATCH_WRITE_MAX])
    return Links(
        [entry_id("departments", name) for name in names],
        [parameter_field_id(large, each) for each in fields],
        [entry_id("voices", name) for name in names],
    )


# ---- How DynamoDB measures -------------------------------------------------------------------------------------------


def size_of(value: Mapping[str, Any]) -> int:
    """Return the size of an attribute's value, by the rules of "DynamoDB item sizes and formats"."""
    ((kind, inner),) = value.items()
    match kind:
        case "S":
            return len(inner.encode())
        case "B":
            return len(inner)
        case "N":
            return 21  # the most that a number takes
        case "BOOL" | "NULL":
            return 1
        case "L":
            return 3 + sum(1 + size_of(each) for each in inner)
        case "M":
            return 3 + sum(1 + len(name.encode()) + size_of(each) for name, each in inner.items())
    raise TypeError(f"no size is known of {kind}")


def item_size(item: Mapping[str, Mapping[str, Any]]) -> int:
    """Return the size of a whole item."""
    return sum(len(name.encode()) + size_of(value) for name, value in item.items())


def indexed_size(item: Mapping[str, Mapping[str, Any]], definition: TableRequest) -> int:
    """Return the size of an item's entries in the local indexes of its table."""
    arguments: Any = definition.arguments
    total = 0
    for index in arguments["LocalSecondaryIndexes"]:
        names = {each["AttributeName"] for each in (*arguments["KeySchema"], *index["KeySchema"])}
        names |= set(index["Projection"]["NonKeyAttributes"])
        total += item_size({name: value for name, value in item.items() if name in names})
    return total


class TestMeasuring:
    """The ruler itself, by examples that can be counted on fingers."""

    @pytest.mark.parametrize(
        ("value", "size"),
        [
            ({"S": "é"}, 2),
            ({"B": b"abc"}, 3),
            ({"NULL": True}, 1),
            ({"BOOL": False}, 1),
            ({"L": []}, 3),
            ({"L": [{"S": "ab"}, {"S": "c"}]}, 3 + (1 + 2) + (1 + 1)),
            ({"M": {"ab": {"S": "c"}}}, 3 + (1 + 2 + 1)),
        ],
    )
    def test_a_value(self, value: Mapping[str, Any], size: int) -> None:
        assert size_of(value) == size

    def test_an_item_counts_the_names_of_its_attributes(self) -> None:
        assert item_size({"pk": {"S": "a"}, "sk": {"S": "bc"}}) == (2 + 1) + (2 + 2)

    def test_an_index_holds_its_keys_and_what_it_projects(self, table_definitions: Mapping[str, TableRequest]) -> None:
        projected: dict[str, Mapping[str, Any]] = {
            "pk": {"S": "a"},
            "sk": {"S": "b"},
            "changed": {"S": "c"},
            "row": {"M": {}},
        }
        item = {**projected, "texts": {"B": b"x" * 1000}}
        assert indexed_size(item, table_definitions["PersonasTable"]) == item_size(projected)

    @pytest.mark.parametrize("alphabet", ALPHABETS)
    def test_the_largest_texts_are_within_the_limits_and_fill_them(self, alphabet: Alphabet) -> None:
        texts = largest_texts(alphabet)
        size = sum(len(text.encode()) for text in (*texts[:3], *texts.examples))
        assert size <= TEXTS_MAX
        characters = sum(map(len, (*texts[:3], *texts.examples)))
        most_characters = NAME_MAX + DESCRIPTION_MAX + INSTRUCTIONS_MAX + EXAMPLES_MAX * EXAMPLE_MAX
        assert size > TEXTS_MAX - 500 or characters == most_characters


# ---- The largest items -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="class")
def large_world(
    ministack: str, table_definitions: Mapping[str, TableRequest], deployed_functions: Mapping[str, Function]
) -> Iterator[tuple[World, Links]]:
    """Provide a group on the emulator with a hundred entries of each kind."""
    with emulated_aws(ministack, table_definitions, deployed_functions) as aws:
        world = unguarded_world(aws)
        yield world, most_links(world)


def raw_item(world: World, key: Key) -> Mapping[str, Mapping[str, Any]]:
    """Return an item as DynamoDB has it."""
    answer = world.aws.dynamodb.get_item(
        TableName=world.table.name, Key={"pk": {"S": key.pk}, "sk": {"S": key.sk}}, ConsistentRead=True
    )
    return answer["Item"]


def ok(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer.text
    return answer.body


@pytest.mark.emulator
@pytest.mark.parametrize("alphabet", ALPHABETS)
class TestLargest:
    @pytest.fixture
    def persona(self, large_world: tuple[World, Links], alphabet: Alphabet) -> tuple[str, Texts]:
        """Save a persona with everything that it can have, and return its id and texts."""
        world, links = large_world
        texts = largest_texts(alphabet)
        item = {**NEEDED, **texts._asdict(), **links._asdict(), "active_flag_id": ACTIVE}
        persona_id = str(result(warm_client(world).call("create", {"personas": [item]}))["persona_id"])
        # Written so often, and by so many scenarios, that its recent writes and its casts are full.
        scenarios = [str(uuid4()) for _ in range(LIST_MAX)]
        for number in range(RECENT_WRITES_MAX):
            stored = world.stored(persona_id)
            assert stored is not None
            world.personas.cast(
                GROUP, persona_id, scenarios, scenarios, f"{uuid4()}.{number}", seq=stored.seq, version=stored.version
            )
        return persona_id, texts

    def test_persona_fits_with_its_index_entry(
        self,
        large_world: tuple[World, Links],
        persona: tuple[str, Texts],
        table_definitions: Mapping[str, TableRequest],
    ) -> None:
        item = raw_item(large_world[0], keys.persona(GROUP, persona[0]))
        assert item_size(item) + indexed_size(item, table_definitions["PersonasTable"]) <= ITEM_MAX

    def test_persona_comes_back_whole(self, large_world: tuple[World, Links], persona: tuple[str, Texts]) -> None:
        world, links = large_world
        form = ok(warm_client(world).call("get", {"persona_id": persona[0]}))
        assert (
            Texts(
                form["names"]["resource"]["name"],
                form["descriptions"]["resource"]["description"],
                form["instructions"]["resource"]["template"],
                [each["example"] for each in form["examples"]["current"]],
            )
            == persona[1]
        )
        assert [each["department_id"] for each in form["departments"]["current"]] == links.department_ids
        assert [each["id"] for each in form["parameter_fields"]["current"]] == links.parameter_field_ids

    def test_draft_fits_with_its_index_entry(
        self, large_world: tuple[World, Links], alphabet: Alphabet, table_definitions: Mapping[str, TableRequest]
    ) -> None:
        world, links = large_world
        client = warm_client(world)
        # A patch may bring as many texts as a persona may have, and the next one others.
        texts = largest_texts(alphabet, examples_bytes=TEXTS_MAX)
        draft_id = ok(client.call("draft", {"examples": texts.examples}))["draft_id"]
        patches: list[dict[str, object]] = [
            {"name": texts.name, "description": texts.description, "instructions": texts.instructions},
            {**links._asdict(), "color_id": TEAL, "icon_id": STAR, "flag_id": ACTIVE},
        ]
        patches += [{"color_id": PLUM}] * RECENT_WRITES_MAX
        for version, patch in enumerate(patches, start=1):
            ok(client.call("draft", {"input_draft_id": draft_id, "expected_version": version, **patch}))
        item = raw_item(world, keys.draft(GROUP, PEOPLE["root"].id, draft_id))
        assert item_size(item) + indexed_size(item, table_definitions["PersonasTable"]) <= ITEM_MAX
        form = ok(client.call("get", {"draft_id": draft_id}))
        assert [each["example"] for each in form["examples"]["current"]] == texts.examples


# ---- The largest answer to remember ----------------------------------------------------------------------------------


UNKNOWN_FIELDS: Final = {f"unknown field {number:03}": None for number in range(140)}


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("create", {"personas": [dict(NEEDED), *([{**NEEDED, **UNKNOWN_FIELDS}] * (ITEMS_MAX - 1))]}),
        ("create", {"personas": [dict(NEEDED), {**NEEDED, "id": "x" * 500_000}]}),
        ("delete", {"persona_ids": [PERSONA_ID, "x" * 500_000]}),
        ("delete", {"persona_ids": [PERSONA_ID, ["x"] * 100_000]}),
    ],
    ids=["many faults", "a large id", "a large id to delete", "a large list for an id"],
)
def test_the_largest_answers_fit_the_record_of_their_idempotency_key(aws: Aws, operation: str, body: object) -> None:
    world = unguarded_world(aws)
    client = warm_client(world)
    ok(client.call("create", {"personas": [{**NEEDED, "id": PERSONA_ID}]}))
    ok(client.call(operation, body, idempotency_key="large"))
    (record,) = world.idempotency_records()
    assert item_size(record) <= ITEM_MAX


# ---- What is sent ----------------------------------------------------------------------------------------------------


def days_work(world: World) -> None:
    """Call all operations and all tools, with little and with much, with success and without."""
    client = warm_client(world)
    many = [{**NEEDED, "name": f"Number {number}", "description": f"{number}"} for number in range(LIST_MAX)]
    ids = [str(each["persona_id"]) for each in ok(client.call("create", {"personas": many}))["results"]]
    everything: dict[str, object] = {
        **NEEDED,
        "id": str(uuid4()),
        "description": "All that there is.",
        "active_flag": True,
        "departments": ["Care"],
        "parameter_field_ids": [MOOD_CALM, MOOD_ANGRY],
        "examples": [f"Example {number}" for number in range(EXAMPLES_MAX)],
        "voices": ["Alto", "Bass"],
    }
    whole = str(result(client.call("create", {"personas": [everything]}))["persona_id"])
    ok(client.call("get", {"persona_id": whole}))

    ok(client.call("update", {"personas": [{"persona_id": each, "voice_ids": [ALTO]} for each in ids]}))
    changes: list[dict[str, object]] = [
        {"name": "Another"},
        {"description": None, "active_flag": None, "department_ids": [], "examples": [], "voices": []},
        {"color_id": PLUM, "icon_id": HEART, "expected_version": 3},
        {"color_id": TEAL, "expected_version": 1},
        {"color_id": NOBODY},
    ]
    for change in changes:
        client.call("update", {"personas": [{"persona_id": whole, **change}]})
    client.call("update", {"personas": [{"persona_id": NOBODY, "name": "Nobody"}]})

    world.cast("Reception", *ids[:3])
    world.settings(ai_generate=["names"])
    profile = Profile(id=entry_id("profiles", "assigned"), group_id=GROUP, name="Kim", role="learner")
    world.profiles.put_profile(profile, ids[: TRANSACTION_MAX - 1], "assign.1")
    world.profiles.put_profile(profile, ids[:1], "assign.2")
    for number in range(BATCH_READ_MAX + 10):
        digest = f"{number:064}"
        key = ApiKey(digest=digest, group_id=GROUP, profile_id=None, label="k", created_at=number, expires_at=None)
        world.profiles.put_key(key, f"issue.{number}")
    world.profiles.keys_of(GROUP)
    world.profiles.revoke(f"{0:064}", "revoke")
    world.add("colors", "Rust", color("Rust", "#000000"))
    world.add("colors", "Rust", color("Rust", "#B7410E"))

    ok(client.call("duplicate", {"persona_id": whole}))
    ok(client.call("duplicate", {"persona_id": whole}))
    ok(client.call("delete", {"persona_ids": ids[3:]}))
    client.call("delete", {"persona_ids": [ids[0], ids[4], NOBODY]})
    client.call("duplicate", {"persona_id": ids[4]})
    ok(client.call("create", {"personas": [{**NEEDED, "id": ids[4]}]}))

    texts = [f"Draft example {number}" for number in range(EXAMPLES_MAX)]
    draft_id = ok(client.call("draft", {"name": "Draft", "examples": texts, "voice_ids": [BASS]}))["draft_id"]
    patches: list[dict[str, object]] = [
        {},
        {"name": None, "examples": [], "color_id": TEAL, "icon_id": STAR, "flag_id": ACTIVE, "department_ids": [CARE]},
        {"name_id": text_id("names", "Draft"), "example_ids": [text_id("examples", each) for each in texts]},
        {"color_id": None, "voice_ids": None},
    ]
    for version, patch in enumerate(patches, start=1):
        ok(client.call("draft", {"input_draft_id": draft_id, "expected_version": version, **patch}))
    client.call("draft", {"input_draft_id": draft_id, "expected_version": 1})
    client.call("draft", {"input_draft_id": NOBODY, "expected_version": 1})
    ok(client.call("drafts"))
    ok(client.call("get", {"persona_id": whole, "draft_id": draft_id}))

    # In another environment, which has not seen the texts and has to look up more ids than one batch holds.
    forget()
    by_ids = [{**NEEDED, "example_ids": [text_id("examples", each) for each in texts]}]
    by_ids += [{**NEEDED, "name_id": text_id("names", f"Number {number}"), "name": None} for number in range(80)]
    ok(client.call("create", {"personas": by_ids}))

    for body in ({"personas": [dict(NEEDED)]}, {"personas": [{**NEEDED, "name": "Another"}]}):
        client.call("create", body, idempotency_key="k")
        client.call("create", body, idempotency_key="k")
    client.call("update", {"personas": [{"persona_id": NOBODY, "name": "Nobody"}]}, idempotency_key="k")
    client.call("get", {}, x_api_key="psk.group.unknown")
    client.call("get", {"persona_id": NOBODY})


@pytest.fixture(scope="module")
def sent(
    ministack: str, table_definitions: Mapping[str, TableRequest], deployed_functions: Mapping[str, Function]
) -> list[Sent]:
    """Return every request that a day's work makes; on the emulator, for moto copies its table for each transaction."""
    with (
        emulated_aws(ministack, table_definitions, deployed_functions) as aws,
        pytest.MonkeyPatch.context() as patch,
    ):
        faults = Faults.installed(patch)
        days_work(unguarded_world(aws))
        return faults.sent


KEYWORDS: Final = frozenset({"SET", "REMOVE", "ADD", "DELETE", "AND", "OR", "NOT", "BETWEEN", "IN"})
FUNCTIONS: Final = frozenset({"ATTRIBUTE_EXISTS", "ATTRIBUTE_NOT_EXISTS", "IF_NOT_EXISTS", "LIST_APPEND", "SIZE"})


@pytest.mark.emulator
class TestWhatIsSent:
    def test_is_of_every_kind(self, sent: list[Sent]) -> None:
        assert {each.operation for each in sent} == {
            "BatchGetItem",
            "BatchWriteItem",
            "DeleteItem",
            "GetItem",
            "PutItem",
            "Query",
            "TransactWriteItems",
            "UpdateItem",
        }

    def test_every_name_that_is_given_is_used_and_every_one_that_is_used_is_given(self, sent: list[Sent]) -> None:
        for operation, body in bodies(sent):
            assert placeholders(body, "#") == set(body.get("ExpressionAttributeNames", {})), operation

    def test_every_value_that_is_given_is_used_and_every_one_that_is_used_is_given(self, sent: list[Sent]) -> None:
        for operation, body in bodies(sent):
            assert placeholders(body, ":") == set(body.get("ExpressionAttributeValues", {})), operation

    def test_no_empty_map_of_names_or_values_is_given(self, sent: list[Sent]) -> None:
        for operation, body in bodies(sent):
            assert body.get("ExpressionAttributeNames") != {}, operation
            assert body.get("ExpressionAttributeValues") != {}, operation

    def test_no_reserved_word_stands_for_itself(self, sent: list[Sent]) -> None:
        words = {word for _, body in bodies(sent) for each in expressions(body) for word in bare_words(each)}
        assert words.isdisjoint(ReservedKeywords.get_reserved_keywords())
        assert "TRAIL" in words  # so words are found at all

    def test_expressions_are_short_enough(self, sent: list[Sent]) -> None:
        assert max(len(each) for _, body in bodies(sent) for each in expressions(body)) <= EXPRESSION_MAX

    def test_no_update_changes_an_attribute_twice_or_within_another(self, sent: list[Sent]) -> None:
        for _, body in bodies(sent):
            paths = sorted(paths_in(body))
            for one, following in pairwise(paths):
                assert following[: len(one)] != one, paths

    def test_batches_of_writes_are_filled_and_not_overfilled(self, sent: list[Sent]) -> None:
        assert max(len(each) for each in batches(sent, "BatchWriteItem")) == BATCH_WRITE_MAX

    def test_batches_of_reads_are_filled_and_not_overfilled(self, sent: list[Sent]) -> None:
        assert max(len(each) for each in batches(sent, "BatchGetItem")) == BATCH_READ_MAX

    def test_transactions_are_filled_and_not_overfilled(self, sent: list[Sent]) -> None:
        assert max(len(each) for each in batches(sent, "TransactWriteItems")) == TRANSACTION_MAX

    @pytest.mark.parametrize("operation", ["BatchGetItem", "BatchWriteItem", "TransactWriteItems"])
    def test_no_item_is_named_twice_in_a_request(self, sent: list[Sent], operation: str) -> None:
        for items in batches(sent, operation):
            assert len(set(items)) == len(items)

    def test_every_read_is_strongly_consistent(self, sent: list[Sent]) -> None:
        for each in sent:
            if each.operation in {"GetItem", "Query"}:
                assert each.body["ConsistentRead"] is True
            if each.operation == "BatchGetItem":
                assert all(wanted["ConsistentRead"] is True for wanted in tables(each.body).values())

    def test_every_stamp_says_its_range_and_a_time_that_sorts(self, sent: list[Sent]) -> None:
        stamps = [each for _, body in bodies(sent) for each in stamps_in(body)]
        assert {each[:2] for each in stamps} == {keys.PERSONA_CHANGES, keys.RESOURCE_CHANGES, keys.DRAFT_CHANGES}
        assert all(re.fullmatch(r".#\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", each) for each in stamps)


def bodies(requests: Sequence[Sent]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every request, and every action of a transaction, with the name of its operation."""
    for request in requests:
        yield request.operation, request.body
        for action in actions(request.body):
            yield from action.items()


def actions(body: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = body.get("TransactItems", ())
    return found


def tables(body: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = body["RequestItems"]
    return found


def batches(requests: Sequence[Sent], operation: str) -> list[list[tuple[str, str]]]:
    """Return the primary keys in every request of an operation on many items."""
    found: list[list[Mapping[str, Any]]] = []
    for request in requests:
        if request.operation != operation:
            continue
        if operation == "TransactWriteItems":
            found.append([each for action in actions(request.body) for each in action.values()])
        else:
            (wanted,) = tables(request.body).values()
            found.append(wanted["Keys"] if operation == "BatchGetItem" else [each["PutRequest"] for each in wanted])
    return [[key_of(each.get("Item") or each.get("Key") or each) for each in items] for items in found]


def key_of(item: Mapping[str, Mapping[str, str]]) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]


def expressions(body: Mapping[str, Any]) -> list[str]:
    return [value for name, value in body.items() if name.endswith("Expression")]


def placeholders(body: Mapping[str, Any], sign: str) -> set[str]:
    """Return the names (#) or values (:) that the expressions of a request use."""
    return {each for expression in expressions(body) for each in re.findall(rf"{sign}\w+", expression)}


def bare_words(expression: str) -> set[str]:
    """Return the attributes that an expression names without a placeholder, in upper case."""
    words = {word.upper() for word in re.findall(r"(?<![#:\w])[A-Za-z_]\w*", expression)}
    return words - KEYWORDS - FUNCTIONS


def paths_in(body: Mapping[str, Any]) -> list[list[str]]:
    """Return the paths that an update changes, each as its steps."""
    names = body.get("ExpressionAttributeNames", {})
    clauses = re.split(r"\b(?:SET|REMOVE)\b", body.get("UpdateExpression", ""))
    parts = [each for clause in clauses for each in re.split(r",(?![^(]*\))", clause) if each.strip()]
    return [[names.get(step, step) for step in each.partition("=")[0].strip().split(".")] for each in parts]


def stamps_in(body: Mapping[str, Any]) -> list[str]:
    values = [body.get("Item", {}).get("changed"), body.get("ExpressionAttributeValues", {}).get(":changed")]
    return [each["S"] for each in values if each]
