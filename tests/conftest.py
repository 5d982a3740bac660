"""Fixtures that all tests share: an environment without real credentials, the template, and the emulator.

Tables and policies come from template.yaml itself, so a test never sees others than a deployment.
"""

import gc
import os
from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import Final

import pytest
from hypothesis import Phase, settings

from personas_tools import template
from personas_tools.emulator import Emulator
from personas_tools.template import Function, TableRequest
from support.aws import REGION
from support.emulated import MINISTACK, TEMPLATE
from support.faults import Waiting

pytest_plugins = ["support.fixtures", "support.releases"]

CREDENTIALS: Final = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}
REAL: Final = ("AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_ENDPOINT_URL")
"""The variables that could lead a test to somebody's real account."""

# Powertools reads these once, when it is imported, and a test module may import it before any fixture runs.
POWERTOOLS: Final = {"POWERTOOLS_SERVICE_NAME": "personas"}
os.environ.update(POWERTOOLS)

# No deadline: two cores shared by parallel tests stall now and then. In CI, the same examples every time.
settings.register_profile("local", deadline=None, print_blob=True)
settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True)
# A mutant is noticed by any example, which need not be made small.
settings.register_profile("mutants", settings.get_profile("ci"), phases=[Phase.explicit, Phase.generate])
settings.load_profile("ci" if os.environ.get("CI") else "local")


def _with_room[T](test: Callable[..., T], **arguments: object) -> T:
    return test(**arguments)


# CPython keeps frames in blocks of 16 KB, and calls that go to and fro over the end of one have the system map and
# unmap the next each time. Below pytest's own frames those of botocore do, which takes up to half of a test's time. A
# frame that says it needs 560 KB is given a block of 1 MB, and leaves the rest of it to the frames below.
_with_room.__code__ = _with_room.__code__.replace(co_stacksize=70_000)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, bool | None, bool | None]:
    """Run each test with room for its frames."""
    pyfuncitem.obj = partial(_with_room, pyfuncitem.obj)
    return (yield)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put first the tests that wait: at the end no others would be left to run meanwhile."""
    items.sort(key=lambda item: item.get_closest_marker("waits") is None)


def pytest_collection_finish() -> None:
    """Keep what is imported by now out of each later collection of garbage, which takes 0.3 s with it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _credentials() -> Iterator[None]:
    """Set made-up credentials, from the first fixture to the last."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        for name in REAL:
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def table_definitions() -> dict[str, TableRequest]:
    """Return the tables of template.yaml, by logical id."""
    return template.table_requests(TEMPLATE)


@pytest.fixture(scope="session")
def deployed_functions() -> dict[str, Function]:
    """Return the functions of template.yaml, by logical id."""
    return template.functions(TEMPLATE)


@pytest.fixture(scope="session")
def queue_ids() -> tuple[str, ...]:
    """Return the logical ids of the queues of template.yaml."""
    return template.queues(TEMPLATE)


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Waiting:
    """Let time pass at once: nobody waits, and it is later all the same."""
    return Waiting(monkeypatch)


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a ministack of its own for this worker, empty at the start, and yield its address.

    Mark such tests ``emulator``.
    """
    emulator = Emulator(MINISTACK, tmp_path_factory.mktemp("ministack"))
    address = emulator.launch()
    try:
        emulator.wait()
        yield address
    finally:
        emulator.stop()
