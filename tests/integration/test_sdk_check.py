"""The check of the SDK at the start of a function: of this botocore, and of those that another runtime might bring."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
from botocore import parsers

from personas.runtime import _Data, dynamodb
from personas.store.sdk_check import UnfitSdk, check_answers
from support.aws import forget_clients
from support.client import load_handler
from support.world import World


@pytest.fixture(autouse=True)
def _clients_of_their_own(world: World) -> Iterator[None]:
    forget_clients()
    yield
    forget_clients()


type Describe = Callable[[Callable[[Any], None]], None]


@pytest.fixture
def described() -> Iterator[Describe]:
    """Provide a function that has botocore's description of DynamoDB changed as a later release might."""
    load = _Data.load_service_model
    with pytest.MonkeyPatch.context() as patching:

        def describe(change: Callable[[Any], None]) -> None:
            def changed(self: _Data, *arguments: Any, **named: Any) -> dict[str, Any]:
                model = deepcopy(load(self, *arguments, **named))  # tests keep it for each other
                if "AttributeMap" in model.get("shapes", {}):
                    change(model)
                return model

            patching.setattr(_Data, "load_service_model", changed)

        yield describe


def test_this_botocore_is_fit() -> None:
    check_answers(dynamodb())


def test_one_that_parses_items_by_itself_is_fit_too(described: Describe) -> None:
    def rename(model: Any) -> None:
        values = {"S": "String", "N": "String", "B": "Blob", "BOOL": "Flag", "NULL": "Flag", "L": "Values", "M": "Map"}
        model["shapes"] |= {
            "AttributeMap": {"type": "map", "key": {"shape": "String"}, "value": {"shape": "Tagged"}},
            "Map": {"type": "map", "key": {"shape": "String"}, "value": {"shape": "Tagged"}},
            "Values": {"type": "list", "member": {"shape": "Tagged"}},
            "Tagged": {"type": "structure", "members": {name: {"shape": shape} for name, shape in values.items()}},
            "String": {"type": "string"},
            "Blob": {"type": "blob"},
            "Flag": {"type": "boolean"},
        }

    described(rename)
    check_answers(dynamodb())


@pytest.mark.parametrize("protocol", ["smithy-rpc-v2-cbor", "rest-xml", "query"])
def test_one_that_speaks_another_protocol_is_refused(protocol: str, described: Describe) -> None:
    described(lambda model: model["metadata"].update(protocol=protocol, protocols=[protocol]))
    with pytest.raises(UnfitSdk, match=r"botocore [\d.]+ does not read DynamoDB's answers"):
        check_answers(dynamodb())


def test_one_that_does_not_know_an_answer_is_refused(described: Describe) -> None:
    described(lambda model: model["shapes"].pop("BatchGetItemOutput"))
    with pytest.raises(UnfitSdk, match=r"\(NoShapeFoundError: .+\)"):
        check_answers(dynamodb())


def test_one_that_reads_documents_as_empty_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    handle = parsers.BaseJSONParser._handle_structure

    def handled(self: Any, shape: Any, value: Any) -> Any:
        return {} if shape.is_document_type else handle(self, shape, value)

    monkeypatch.setattr(parsers.BaseJSONParser, "_handle_structure", handled)
    read = r"\(ConditionalCheckFailedException: \[\{.+\}\]\)"
    with pytest.raises(UnfitSdk, match=rf"^botocore [\d.]+ does not read .+ {read}\. Roll back: "):
        check_answers(dynamodb())


def test_no_function_starts_over_one_that_is_unfit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsers.BaseJSONParser, "_handle_map", lambda *_: {})
    with pytest.raises(UnfitSdk):
        load_handler("drafts")


def test_one_without_the_words_that_the_check_needs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    client = dynamodb()
    monkeypatch.delattr("botocore.model.ServiceModel.resolved_protocol")
    monkeypatch.delitem(vars(client.meta.service_model), "resolved_protocol", raising=False)
    with pytest.raises(UnfitSdk, match=r"\(AttributeError: .+\)"):
        check_answers(client)
