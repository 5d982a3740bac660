"""Finishes what `sam build` made: drops what no function can reach, compiles byte code, and says what the rest weighs.

The template beside it is held to the architecture that was built.

    python -m personas_tools.bundle .aws-sam/build --architecture arm64

Lambda unpacks and imports this at every cold start. SAM ships neither byte code, so that every start would compile
some four hundred modules, nor does it take out what wheels carry along for debuggers and browsers.
"""

import argparse
import compileall
import platform
import py_compile
import struct
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Final

from personas_tools.built_template import pin_architecture

LAYER_LIMIT: Final = 16_000_000
"""Bytes of the zipped layer that are too many."""

UNREACHED: Final[Mapping[str, str]] = {
    "aws_lambda_powertools/event_handler/openapi/swagger_ui/*.css": "read by `enable_swagger` alone",
    "aws_lambda_powertools/event_handler/openapi/swagger_ui/*.js": "read by `enable_swagger` alone",
    "cffi": "compiles C; what runs is `_cffi_backend`",
    "pycparser": "needed by cffi alone",
    "pydantic/v1": "pydantic's own predecessor, for those who still import it",
    "**/*.h": "for a C compiler",
    "**/*.pyi": "for a type checker",
}
"""Patterns of what a layer ships without, each with the reason. `tests/build` proves that nothing imports it."""

_MACHINES: Final[Mapping[str, int]] = {"arm64": 183, "x86_64": 62}
"""Of each architecture the number that an ELF file carries."""
_ELF_64_LITTLE: Final = b"\x7fELF\x02\x01"
_ZIP_HEADERS: Final = 30 + 46
"""Bytes that an archive holds about a file, in front of it and in its directory, its name aside."""
_PYTHON: Final = (3, 13)
_BYTECODE: Final = "__pycache__"


class BundleError(Exception):
    """The bundle is not one to deploy; the message says why."""


@dataclass(frozen=True, slots=True)
class Weight:
    """Bytes of a package: as Python source, as byte code, as machine code, as anything else, and all of it zipped."""

    package: str
    source: int
    bytecode: int
    native: int
    rest: int
    zipped: int

    @property
    def total(self) -> int:
        """Bytes on Lambda's disk."""
        return self.source + self.bytecode + self.native + self.rest


def finish(build: Path, architecture: str) -> None:
    """Drop, strip and compile in every function and layer below ``build``. Doing it again changes nothing.

    Raises:
        BundleError: machine code is of another architecture, byte code does not compile, or the interpreter that
            runs this is of another version than Lambda's.
    """
    if sys.version_info[:2] != _PYTHON:
        raise BundleError("Byte code is of use to the Python that wrote it alone: run this with Python 3.13.")
    for layer in layers(build):
        drop(layer / "python")
        for library in layer.rglob("*.so"):
            strip(library, architecture)
        compile_all(layer, "/opt")
    for function in functions(build):
        compile_all(function, "/var/task")
    pin_architecture(build / "template.yaml", architecture)


def native_architecture() -> str:
    """Return this machine's architecture, as the template's parameter names it."""
    return "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"


def layers(build: Path) -> list[Path]:
    """Return the layers below ``build``: the folders that hold a folder ``python``."""
    return sorted(folder for folder in build.iterdir() if (folder / "python").is_dir())


def functions(build: Path) -> list[Path]:
    """Return the functions below ``build``: the folders that hold a ``handler.py``."""
    return sorted(folder for folder in build.iterdir() if (folder / "handler.py").is_file())


def drop(packages: Path) -> None:
    """Remove what `UNREACHED` names."""
    for pattern in UNREACHED:
        for path in sorted(packages.glob(pattern)):
            if path.is_dir():
                rmtree(path)
            else:
                path.unlink()


def strip(library: Path, architecture: str) -> None:
    """Cut everything off a shared library that is not loaded to run it: debug data, symbols, the section table.

    Loaded are the segments of the program header table; what lies behind the last of them is for debuggers and
    linkers. GNU strip does the same, but only for the machine that it was built for.

    Raises:
        BundleError: it is for another machine than ``architecture``.
    """
    content = bytearray(library.read_bytes())
    (machine,) = struct.unpack_from("<H", content, 18)
    if not content.startswith(_ELF_64_LITTLE) or machine != _MACHINES[architecture]:
        raise BundleError(f"{library} is not machine code for {architecture}.")
    (table,) = struct.unpack_from("<Q", content, 32)
    size, count = struct.unpack_from("<HH", content, 54)
    end = table + size * count
    for position in range(table, end, size):
        offset, _, _, length = struct.unpack_from("<4Q", content, position + 8)
        end = max(end, offset + length)
    struct.pack_into("<Q", content, 40, 0)  # where the section table begins
    struct.pack_into("<HHH", content, 58, 0, 0, 0)  # the size and number of its entries, and which one names them
    mode = library.stat().st_mode
    # Unlinked first: the file may be a hard link into SAM's cache.
    library.unlink()
    library.write_bytes(content[:end])
    library.chmod(mode)


def compile_all(folder: Path, mounted: str) -> None:
    """Compile every module below ``folder``, which Lambda has at ``mounted``.

    The byte code is never checked against the source again: what is deployed does not change, and Lambda sets the
    sources' times as it likes.

    Raises:
        BundleError: a module does not compile.
    """
    done = compileall.compile_dir(
        folder,
        quiet=1,
        force=True,
        workers=0,
        stripdir=str(folder),
        prependdir=mounted,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    if not done:
        raise BundleError(f"Not every module below {folder} compiles; see above.")


def weights(layer: Path) -> list[Weight]:
    """Return the weight of each package of a layer, heaviest first, zipped as `sam deploy` zips."""
    sizes: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryFile() as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for path in layer.rglob("*") if path.is_file()):
            package = _package(path.relative_to(layer / "python"))
            archive.write(path, path.relative_to(layer))
            sizes[package, _kind(path)] += path.stat().st_size
            entry = archive.infolist()[-1]
            sizes[package, "zipped"] += entry.compress_size + _ZIP_HEADERS + 2 * len(entry.filename.encode())
    packages = {package for package, _ in sizes}
    kinds = ("source", "bytecode", "native", "rest", "zipped")
    rows = [Weight(package, *(sizes[package, kind] for kind in kinds)) for package in packages]
    return sorted(rows, key=lambda row: row.total, reverse=True)


def report(name: str, rows: Iterable[Weight], most: int = 12) -> Iterator[str]:
    """Yield the lines of a table: the ``most`` heaviest packages, the others together, and the sum; in MB."""
    rows = list(rows)
    yield f"{name:26}{'MB':>8}{'source':>9}{'bytecode':>10}{'native':>8}{'rest':>7}{'zipped':>8}"
    for row in [*rows[:most], *([_sum("others", rows[most:])] if rows[most:] else []), _sum("all", rows)]:
        figures = (row.total, row.source, row.bytecode, row.native, row.rest, row.zipped)
        widths = (8, 9, 10, 8, 7, 8)
        yield f"{row.package:26}" + "".join(
            f"{figure / 1e6:{width}.2f}" for figure, width in zip(figures, widths, strict=True)
        )


def _sum(name: str, rows: Iterable[Weight]) -> Weight:
    rows = list(rows)
    return Weight(
        name,
        sum(row.source for row in rows),
        sum(row.bytecode for row in rows),
        sum(row.native for row in rows),
        sum(row.rest for row in rows),
        sum(row.zipped for row in rows),
    )


def _package(path: Path) -> str:
    """Return the package of a file; metadata go by the name of theirs, single modules without their endings."""
    first = path.parts[1] if path.parts[0] == _BYTECODE else path.parts[0]
    return "metadata" if first.endswith((".dist-info", ".data")) else first.partition(".")[0]


def _kind(path: Path) -> str:
    kinds = {".py": "source", ".pyc": "bytecode", ".so": "native"}
    return kinds.get(path.suffix, "rest")


def main() -> int:
    """Finish a build and report on it; return 1 if it must not be deployed."""
    parser = argparse.ArgumentParser(description="Finish what `sam build` made, and say what it weighs.")
    parser.add_argument("build", type=Path, help="the folder that sam built into")
    parser.add_argument("--architecture", choices=sorted(_MACHINES), required=True)
    arguments = parser.parse_args()
    try:
        finish(arguments.build, arguments.architecture)
        for layer in layers(arguments.build):
            rows = weights(layer)
            sys.stdout.write("\n".join(report(f"{layer.name}, {arguments.architecture}", rows)) + "\n")
            zipped = sum(row.zipped for row in rows)
            if zipped > LAYER_LIMIT:
                raise BundleError(f"{layer.name} has {zipped} bytes zipped, more than {LAYER_LIMIT}.")
    except BundleError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
