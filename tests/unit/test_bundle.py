"""Tests of the changes that `make build` makes to a library of machine code, and of the sizes that it reports."""

import struct
from pathlib import Path
from typing import Final

import pytest
import yaml

from personas_tools.built_template import pin_architecture
from personas_tools.bundle import BundleError, Weight, report, strip, weights

ARM64: Final = 183
LOADED: Final = b"loaded, every byte of it"
FOR_DEBUGGERS: Final = b"symbols and the section table" * 10


def library(machine: int) -> bytes:
    """Return a shared library in the ELF format: its header, one segment that is loaded, and a part for debuggers."""
    header_size, entry_size = 64, 56
    begins = header_size + entry_size
    identity = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = identity + struct.pack(
        "<HHIQQQIHHHHHH", 3, machine, 1, 0, header_size, begins + len(LOADED), 0, header_size, entry_size, 1, 64, 4, 3
    )
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, begins + len(LOADED), begins + len(LOADED), 4096)
    return header + segment + LOADED + FOR_DEBUGGERS


def test_what_is_loaded_stays_and_the_rest_goes(tmp_path: Path) -> None:
    file = tmp_path / "library.so"
    file.write_bytes(library(ARM64))
    strip(file, "arm64")
    content = file.read_bytes()
    assert content.endswith(LOADED)
    # No section table any more: nowhere, of no entries, and none that names the others.
    assert struct.unpack_from("<Q", content, 40) == (0,)
    assert struct.unpack_from("<HHH", content, 58) == (0, 0, 0)
    strip(file, "arm64")
    assert file.read_bytes() == content


def test_a_stripped_library_is_not_written_through_a_hard_link(tmp_path: Path) -> None:
    cached, file = tmp_path / "cached.so", tmp_path / "library.so"
    cached.write_bytes(library(ARM64))
    file.hardlink_to(cached)
    strip(file, "arm64")
    assert cached.read_bytes() == library(ARM64)


@pytest.mark.parametrize("content", [library(ARM64), b"!<arch>\n" + bytes(64)], ids=["arm64", "an archive"])
def test_machine_code_for_another_machine_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "library.so"
    file.write_bytes(content)
    with pytest.raises(BundleError, match=r"library\.so is not machine code for x86_64"):
        strip(file, "x86_64")


def test_what_was_built_for_one_processor_is_deployed_for_that_one(tmp_path: Path) -> None:
    # Given the parameters of a template, beside a build for x86_64
    declared = {"Type": "String", "Default": "arm64", "AllowedValues": ["arm64", "x86_64"]}
    template = tmp_path / "template.yaml"
    template.write_text(yaml.safe_dump({"Parameters": {"Stage": {"Type": "String"}, "Architecture": declared}}))

    # When it is pinned, twice
    pin_architecture(template, "x86_64")
    pin_architecture(template, "x86_64")

    # Then it has that processor by default and allows no other; all else is as it was
    assert yaml.safe_load(template.read_text())["Parameters"] == {
        "Stage": {"Type": "String"},
        "Architecture": {"Type": "String", "Default": "x86_64", "AllowedValues": ["x86_64"]},
    }


def test_every_byte_is_counted_once_and_by_its_kind(tmp_path: Path) -> None:
    packages = tmp_path / "layer" / "python"
    for path, size in {
        "pkg/__init__.py": 100,
        "pkg/__pycache__/__init__.cpython-313.pyc": 20,
        "pkg/core.cpython-313-aarch64-linux-gnu.so": 3_000,
        "single.py": 7,
        "__pycache__/single.cpython-313.pyc": 5,
        "pkg-1.0.dist-info/METADATA": 11,
    }.items():
        file = packages / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(bytes(size))
    rows = {row.package: row for row in weights(tmp_path / "layer")}
    assert {name: (row.source, row.bytecode, row.native, row.rest) for name, row in rows.items()} == {
        "pkg": (100, 20, 3_000, 0),
        "single": (7, 5, 0, 0),
        "metadata": (0, 0, 0, 11),
    }


def test_the_report_ends_with_the_sum_of_all() -> None:
    rows = [Weight(f"package{number}", 1_000_000, 0, 0, 0, 500_000) for number in range(14)]
    lines = list(report("Layer", rows, most=2))
    assert lines[1].split()[:2] == ["package0", "1.00"]
    assert lines[-2].split()[:2] == ["others", "12.00"]
    assert lines[-1].split() == ["all", "14.00", "14.00", "0.00", "0.00", "0.00", "7.00"]
