"""Exports as those who made them see them: the rows of the file behind an answer."""

import csv
import io
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from personas.domain.cells import split_list, unescape
from support.client import Answer
from support.world import World

LISTS: Final = ("departments", "parameter_fields", "examples", "voices")


def objects(world: World) -> list[str]:
    """Return the keys of the exported files; uploads that are not complete are not among them."""
    listed = world.aws.s3.list_objects_v2(Bucket=world.aws.names["Bucket"], Prefix="exports/").get("Contents", [])
    return [each["Key"] for each in listed]


def open_uploads(world: World) -> list[str]:
    """Return the keys of the uploads that were begun and neither completed nor aborted."""
    listed = world.aws.s3.list_multipart_uploads(Bucket=world.aws.names["Bucket"]).get("Uploads", [])
    return [each["Key"] for each in listed]


def records(world: World) -> list[dict[str, Any]]:
    """Return the stored records of exports."""
    found = world.aws.dynamodb.scan(TableName=world.table.name)["Items"]
    return [raw for raw in found if raw["pk"]["S"].startswith("export#")]


def content(world: World, answer: Answer) -> bytes:
    """Return the file that an answer of export names."""
    assert answer.status == 200, answer.text
    (key,) = (each for each in objects(world) if answer.body["upload_id"] in each)
    return stored(world, key)


def stored(world: World, key: str) -> bytes:
    """Return the file under a key."""
    return world.aws.s3.get_object(Bucket=world.aws.names["Bucket"], Key=key)["Body"].read()


def cells(file: bytes) -> list[dict[str, str]]:
    """Return the rows of a file by column, with the cells as they stand in it."""
    return list(csv.DictReader(io.StringIO(file.decode("utf-8-sig"), newline=""), strict=True))


def values(row: Mapping[str, str]) -> dict[str, object]:
    """Return the values of a row in the form that create accepts."""
    given: dict[str, object] = {
        name: unescape(cell) for name, cell in row.items() if name not in ("persona_id", "version")
    }
    given |= {name: split_list(unescape(row[name])) for name in LISTS}
    return given | {"active_flag": row["active_flag"] == "true"}


def query(address: str) -> dict[str, str]:
    """Return the parameters of a signed address."""
    return {name: value for name, (value,) in parse_qs(urlsplit(address).query).items()}
