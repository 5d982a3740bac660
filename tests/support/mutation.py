"""The mutation operators: each mutant of a module is one change of its syntax tree, as a slip would make it.

Left alone is all that is there for the reader or the type checker (docstrings, annotations, decorators, bases of
classes), and the texts of errors that nobody but a log shows.
"""

import ast
import builtins
from collections import Counter
from collections.abc import Iterator
from copy import copy
from typing import Final, NamedTuple

_COMPARED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    **{ast.Eq: ast.NotEq, ast.Is: ast.IsNot, ast.In: ast.NotIn, ast.Lt: ast.LtE, ast.Gt: ast.GtE},
    **{ast.NotEq: ast.Eq, ast.IsNot: ast.Is, ast.NotIn: ast.In, ast.LtE: ast.Lt, ast.GtE: ast.Gt},
}
_COMPUTED: Final[dict[type[ast.operator], type[ast.operator]]] = {
    **{ast.Add: ast.Sub, ast.Mult: ast.FloorDiv, ast.LShift: ast.RShift, ast.BitAnd: ast.BitOr, ast.Mod: ast.FloorDiv},
    **{ast.Sub: ast.Add, ast.FloorDiv: ast.Mult, ast.RShift: ast.LShift, ast.BitOr: ast.BitAnd, ast.Pow: ast.Mult},
    **{ast.Div: ast.Mult, ast.BitXor: ast.BitAnd},
}
_PAIRS: Final = (
    *(("lower", "upper"), ("partition", "rpartition"), ("lstrip", "rstrip"), ("find", "rfind")),
    *(("removeprefix", "removesuffix"), ("startswith", "endswith"), ("min", "max"), ("any", "all")),
    *(("issuperset", "issubset"), ("union", "intersection"), ("match", "search")),
)
_CALLED: Final = dict(_PAIRS) | {other: one for one, other in _PAIRS}
_TYPES: Final = {"NamedTuple", "TypedDict", "TypeVar"}
_LOGGED: Final = {
    *(name for name in dir(builtins) if name.endswith("Error")),
    *("SnapshotDamaged", "SnapshotVersionUnknown", "Unreadable"),
}
"""The exceptions whose texts no caller sees."""
_FOR_READERS: Final = {"annotation", "bases", "decorator_list", "returns", "type_params"}


class Mutant(NamedTuple):
    """A module changed in one place: the node in ``field`` of ``parent``, or in its list there, is another or gone."""

    place: str
    """The outermost function whose body it changes, or "" for what runs when the module is imported."""
    line: int
    name: str
    """The place and the change: the same until somebody changes that code."""
    parent: ast.AST
    field: str
    position: int | None
    replacement: ast.AST | None

    def apply(self) -> None:
        """Change the tree that it was made of, for good."""
        held = getattr(self.parent, self.field)
        if self.position is None:
            setattr(self.parent, self.field, self.replacement)
        elif self.replacement is None:
            del held[self.position]
        else:
            held[self.position] = self.replacement


def mutants_of(tree: ast.Module) -> list[Mutant]:
    """Return all mutants of a module, in the order of its text."""
    seen: Counter[str] = Counter()
    mutants = []
    for scope, place, node, parent, field, index in _nodes(tree, "", ""):
        for replacement in _replacements(node, parent, field):
            after = "nothing" if replacement is None else f"`{_shown(replacement)}`"
            name = f"{place or f'import {scope}'.strip()}: `{_shown(node)}` to {after}"
            seen[name] += 1
            if seen[name] > 1:
                name = f"{name}, {seen[name]}"
            line = getattr(node, "lineno", getattr(parent, "lineno", 1))
            if replacement is not None:
                ast.copy_location(replacement, node)
                ast.fix_missing_locations(replacement)
            mutants.append(Mutant(place, line, name, parent, field, index, replacement))
    return sorted(mutants, key=lambda mutant: mutant.line)


def _shown(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 100 else f"{text[:70]} … {text[-27:]}"


type _Node = tuple[str, str, ast.AST, ast.AST, str, int | None]


def _nodes(parent: ast.AST, scope: str, place: str) -> Iterator[_Node]:
    """Yield what is below a node and may be changed. ``scope`` is the classes and the function around it."""
    if isinstance(parent, ast.ClassDef | ast.FunctionDef):
        scope = f"{scope}.{parent.name}".lstrip(".")
    for field, value in ast.iter_fields(parent):
        if field in _FOR_READERS or (isinstance(parent, ast.ClassDef) and field == "keywords"):
            continue
        inner = place or scope if isinstance(parent, ast.FunctionDef) and field == "body" else place
        listed = isinstance(value, list)
        for index, child in enumerate(value if listed else [value]):
            if isinstance(child, ast.AST) and not _is_for_readers(child, parent, field, index):
                yield scope, inner, child, parent, field, index if listed else None
                yield from _nodes(child, scope, inner)


def _is_for_readers(node: ast.AST, parent: ast.AST, field: str, index: int) -> bool:
    match node:
        case ast.Expr(value=ast.Constant()) | ast.TypeAlias() | ast.Import() | ast.ImportFrom():
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")) | ast.ClassDef(bases=[ast.Name(id="Protocol")]):
            return True
        case ast.Call(func=ast.Name(id=name)) if name in _TYPES:
            return True
        case ast.Call(func=ast.Name(id=name)) if isinstance(parent, ast.Raise) and name in _LOGGED:
            return True
    return isinstance(parent, ast.Call) and _called(parent) == "cast" and field == "args" and index == 0


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def _replacements(node: ast.AST, parent: ast.AST, field: str) -> Iterator[ast.AST | None]:
    """Yield what may stand in the place of a node; None is nothing, in a list."""
    if _is_condition(parent, field):
        yield ast.Constant(False)
        if not isinstance(parent, ast.While):
            yield ast.Constant(True)
    if isinstance(parent, ast.Call) and field == "args" and _called(parent) != "cast" and _is_value(node):
        yield ast.Constant(None)
    if isinstance(parent, ast.Return | ast.Lambda) and field in {"value", "body"} and _is_value(node):
        yield ast.Constant(None)
    if field == "elts" and isinstance(getattr(parent, "ctx", None), ast.Load | None):
        yield None
    if isinstance(parent, ast.Match) and field == "cases" and len(parent.cases) > 1:
        yield None
    if isinstance(node, ast.stmt):
        yield from _of_statement(node)
    else:
        yield from _of_operator(node)
        yield from _of_expression(node, parent)


def _is_condition(parent: ast.AST, field: str) -> bool:
    return field in {"ifs", "guard"} or (field == "test" and isinstance(parent, ast.If | ast.While))


def _is_value(node: ast.AST) -> bool:
    return not isinstance(node, ast.Starred | ast.Constant)


def _of_statement(node: ast.stmt) -> Iterator[ast.AST]:
    match node:
        case ast.Expr(value=ast.Call()) | ast.Raise() | ast.AugAssign() | ast.Delete():
            yield ast.Pass()
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield ast.Pass()
        case ast.AnnAssign(target=ast.Attribute(), value=ast.expr()):
            yield ast.Pass()
        case ast.Continue():
            yield ast.Break()
        case ast.Break():
            yield ast.Continue()
        case ast.For():
            yield _with(node, iter=ast.Tuple([], ast.Load()))
    if isinstance(node, ast.AugAssign) and type(node.op) in _COMPUTED:
        yield _with(node, op=_COMPUTED[type(node.op)]())


def _of_operator(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(ops=operators):
            for index, operator in enumerate(operators):
                yield _with(node, ops=[*operators[:index], _COMPARED[type(operator)](), *operators[index + 1 :]])
        case ast.BoolOp(op=operator, values=values):
            yield _with(node, op=ast.Or() if isinstance(operator, ast.And) else ast.And())
            for index in range(len(values)):
                rest = values[:index] + values[index + 1 :]
                yield copy(rest[0]) if len(rest) == 1 else _with(node, values=rest)
        case ast.UnaryOp(operand=operand):
            yield copy(operand)
        case ast.BinOp(op=operator) if type(operator) in _COMPUTED:
            yield _with(node, op=_COMPUTED[type(operator)]())
        case ast.IfExp(body=body, orelse=otherwise):
            yield from (copy(body), copy(otherwise))


def _of_expression(node: ast.AST, parent: ast.AST) -> Iterator[ast.AST | None]:
    match node:
        case ast.Constant(value=value):
            yield from _of_constant(value)
        case ast.FormattedValue():
            yield None
            if node.conversion != -1:
                yield _with(node, conversion=-1)
        case ast.Dict(keys=keys, values=values):
            for index in range(len(keys)):
                yield _with(node, keys=keys[:index] + keys[index + 1 :], values=values[:index] + values[index + 1 :])
        case ast.keyword(arg=str()) if isinstance(parent, ast.Call):
            yield None
        case ast.Call(func=ast.Name(id=name)) if name in _CALLED:
            yield _with(node, func=ast.Name(_CALLED[name], ast.Load()))
        case ast.Call(func=ast.Attribute(attr=name) as method) if name in _CALLED:
            yield _with(node, func=_with(method, attr=_CALLED[name]))
        case ast.Slice(lower=lower, upper=upper):
            if lower:
                yield _with(node, lower=None)
            if upper:
                yield _with(node, upper=None)
        case ast.ExceptHandler(body=[*body]) if not isinstance(body[-1], ast.Raise):
            yield _with(node, body=[ast.Raise()])


def _of_constant(value: object) -> Iterator[ast.AST]:
    match value:
        case bool():
            yield ast.Constant(not value)
        case int() | float():
            yield ast.Constant(value + 1)
        case str():
            yield ast.Constant(f"XX{value}")
        case bytes():
            yield ast.Constant(b"XX" + value)


def _with[N: ast.AST](node: N, **fields: object) -> N:
    """Return a node like another one but for some fields; what is below both is the same."""
    changed = copy(node)
    for field, value in fields.items():
        setattr(changed, field, value)
    return changed
