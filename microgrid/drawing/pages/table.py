"""The library's table of primitives as data, for a page that differentiates formulas by itself.

Each row is run once on numbers that are not known, as the compiler does: what its partials do then
is a list of steps, and so are its lowering and its meaning. No derivative is written down here.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from inspect import CO_VARARGS

from ... import functional, special
from ...compiler.lowering import lower
from ...compiler.program import Program
from ...compiler.trace import Traced
from ...core.graph import recording
from ...core.primitive import CONSTANT, Primitive, exponential, power
from ...engine import Value
from ..formulas.algebra import Algebra, ExactNumber, Expression
from ..formulas.meanings import NAMED, PRODUCTS, SUMS, expressions_of
from ..labels import printable
from ..stepper.lines import ATOM, Piece, operation
from ..stepper.recomputing import ListEmitter, Slot, page_number, reference

__all__ = ["make_table"]

ORDER = 2  # of the derivatives: a row that only the last of them needs has no partials
MOST = 6  # numbers in a list, or operands
DIGITS, DERIVATIVES = range(-6, 13), range(5)  # of round, and of digamma
BASES = (0, 1, 2, 10)  # of others a page takes the row of `**`, with a constant base
EXPONENTS = [*range(-8, 9), -1.5, -0.5, 0.5, 1.5, 2.5]
# Constants that the user of a page gives, as the slope in leaky_relu(x, 0.2), are these while a row
# is read, and then "c0" and "c1".
HELD = (0.31830988617906703, 0.5772156649015301)
OPERATORS = ("+", "-", "*", "/", "//", "%", "**", "**k", "<", "<=", "==")

Data = dict[str, object]
Number = Value | float
Function = Callable[..., Number | list[Number]]


def make_table() -> Data:
    """Return all that a page needs to know: primitives, functions, and numbers that have a name.

    A step is a primitive's key and its operands: an operand is the place of an input or of an
    earlier step, or a constant as text.

    >>> table = make_table()
    >>> table["primitives"]["tanh"]["partials"]  # place 0 is the operand, 1 the result
    {'steps': [['sech2', 1, 0]], 'outputs': [2]}
    >>> table["functions"]["logit"]["x"]
    {'steps': [['log', 0], ['neg', 0], ['log1p', 2], ['-', 1, 3]], 'outputs': [4], 'list': False}
    """
    rows = TableRows()
    functions = {name: forms_of(f, rows) for name, f in public_functions().items()}
    for name in OPERATORS:
        rows.key(Primitive.named(name), 2)
    for op in (Primitive.named("neg"), *map(power, EXPONENTS), *map(exponential, BASES)):
        rows.key(op, 1)
    return {
        "primitives": rows.read(),
        "functions": functions,
        "named": [[x, dump(rule(Algebra()), {})] for x, rule in NAMED.items()],
    }


def public_functions() -> dict[str, Function]:
    """Return the functions of a formula by their names: the library's, and two of Python's own."""
    names = {name: module for module in (functional, special) for name in module.__all__}
    return {name: getattr(module, name) for name, module in names.items()} | {
        "abs": abs,
        "round": round,
    }


# ---- what a function takes, found by trying


def shapes() -> Iterable[str]:
    """Yield what a function may be called with, for `x` any number.

    "[3]" is a list of three, "c" a constant, and "=2" that very constant.
    """
    yield from (",".join("x" * n) for n in range(1, MOST + 1))
    for n in range(MOST + 1):
        yield from (f"[{n}]", f"[{n}],[{n}]", f"[{n}],[{n}],x", f"x,[{n}],[{n}]")
    yield from ("x,c", "x,c,c")
    yield from (f"={n},x" for n in DERIVATIVES)
    yield from (f"x,={n}" for n in DIGITS)


def forms_of(function: Function, rows: TableRows) -> Data:
    """Return what a function does with each shape that it takes, unless a more general one says so.

    >>> sorted(forms_of(functional.leaky_relu, TableRows()))
    ['x', 'x,c']
    """
    forms: Data = {}
    for shape in shapes():
        if any(re.sub(r"=-?\d+|c", kind, shape) in forms for kind in ("x", "c")):
            continue
        inputs: list[Traced] = []
        held = iter(HELD)
        arguments = [argument(part, inputs, held) for part in shape.split(",")]
        try:
            with recording():
                result = function(*arguments)
        except (TypeError, ValueError):
            continue
        outputs = result if isinstance(result, list) else [result]
        forms[shape] = rows.steps(outputs, inputs) | {"list": outputs is result}
    return forms


def argument(part: str, inputs: list[Traced], held: Iterator[float]) -> object:
    """Return an argument of a shape, and add the numbers in it to the inputs."""
    if part.startswith("="):
        return int(part[1:])
    if part == "c":
        return next(held)
    made = [Traced("") for _ in range(1 if part == "x" else int(part[1:-1]))]
    inputs += made
    return made[0] if part == "x" else made


# ---- the rows, and all that they need


class TableRows:
    """The rows of the table of primitives that are needed, each with its key."""

    def __init__(self) -> None:
        self._waiting = deque[tuple[str, Primitive, int, int]]()
        self._rows: dict[str, Data] = {}
        self._level = 0

    def key(self, op: Primitive, count: int) -> str:
        """Return the key of a primitive of so many operands, and note that its row is needed."""
        is_held = any(constant in HELD for constant in op.constants)
        name = op.family if is_held else op.name
        key = f"{name}/{count}" if takes_any_number(op) else name
        if key not in self._rows:
            self._rows[key] = {}
            self._waiting.append((key, with_held(op) if is_held else op, count, self._level))
        return key

    def read(self) -> dict[str, Data]:
        """Return the rows that were asked for, and those that their derivatives need."""
        while self._waiting:
            key, op, count, level = self._waiting.popleft()
            self._level = level + 1
            self._rows[key] = self._row(op, count, is_last=level == ORDER)
        return self._rows

    def steps(self, outputs: Sequence[Number | None], inputs: Sequence[Traced]) -> Data:
        """Return what computes outputs from inputs; an output that is None stays so."""
        made = Program.from_values([x for x in outputs if x is not None], inputs)
        places: list[int | str] = [*range(len(inputs))]
        listed: list[list[object]] = []
        for op, operands in made.steps:
            if op is CONSTANT:
                places.append(constant(operands[0]))
                continue
            key = self.key(op, len(operands))
            step: list[object] = [key, *[places[operand] for operand in operands]]
            if op.family and key == op.family:
                step.append([constant(x) for x in op.constants])
            places.append(len(inputs) + len(listed))
            listed.append(step)
        slots = iter(made.outputs)
        return {
            "steps": listed,
            "outputs": [None if x is None else places[next(slots)] for x in outputs],
        }

    def _row(self, op: Primitive, count: int, is_last: bool) -> Data:
        operands, out = [Traced("") for _ in range(count)], Traced("")
        with recording():
            made = op(*operands)
            partials = () if is_last else op.partials(out, *operands)
        found = expressions_of((made,), Algebra(), {x: x for x in (*operands, made)})
        row: Data = {
            "lowering": lowering(op, count),
            "meaning": dump(found[made], {x: i for i, x in enumerate(operands)}),
            "name": split_held([printable(op.name)]),
            "line": split_held(operation(op, [([i], ATOM) for i in range(count)])[0]),
        }
        for kind, table in (("sum", SUMS), ("product", PRODUCTS)):
            if op.name in table and op.name != "dot":
                row["spreads"] = kind  # into a sum or product around it
        return row if is_last else row | {"partials": self.steps(partials, [*operands, out])}


def takes_any_number(op: Primitive) -> bool:
    """Return whether the rows of a primitive differ in the number of their operands."""
    code = op.partials.__code__
    return bool(code.co_flags & CO_VARARGS)


def with_held(op: Primitive) -> Primitive:
    """Return the member of a family all of whose constants are held."""
    return Primitive.families[op.family](*HELD[: len(op.constants)])


def constant(x: float) -> str:
    """Return a constant as text: its number, or which of those that are held it is."""
    return f"c{HELD.index(x)}" if x in HELD else str(page_number(float(x)))


def lowering(op: Primitive, count: int) -> Data:
    """Return what computes a primitive as a kernel does."""
    emitter = ListEmitter(count)
    result = emitter.number(lower(emitter, op, [Slot(i) for i in range(count)]))
    texts = {str(x): constant(x) for x in HELD}
    steps = [[texts.get(str(part), part) for part in step] for step in emitter.steps]
    return {"steps": steps, "outputs": [reference(result)]}


def split_held(pieces: Sequence[Piece]) -> list[object]:
    """Return a text in pieces with the place of each held constant, as {"c": 0}, by itself."""
    found: list[object] = []
    pattern = "|".join(re.escape(str(x)) for x in HELD)
    for piece in pieces:
        if not isinstance(piece, str):
            found.append(piece)
            continue
        texts = re.split(f"({pattern})", piece)
        found += [{"c": HELD.index(float(x))} if i % 2 else x for i, x in enumerate(texts) if x]
    return found


def dump(x: Expression, places: Mapping[Hashable, int]) -> object:
    """Return an expression: the place of an operand, a named number, or a kind and its parts."""
    if x.kind == "symbol":
        return places.get(x.name, x.name)
    parts = [dump(part, places) for part in x.parents]
    if x.kind == "call":
        return [x.name, *parts]
    return [x.kind, *[[weight(w), part] for w, part in zip(x.weights, parts, strict=True)]]


def weight(x: ExactNumber) -> str:
    """Return a number as text: with a point if it is a decimal, else whole or a fraction."""
    value = float(x.value)
    if value in HELD:
        return constant(value)
    return repr(value) if x.is_decimal else str(x.value)
