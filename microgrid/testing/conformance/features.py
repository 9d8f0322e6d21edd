"""What an engine offers: the operators and methods that a case needs, tried one by one."""

from __future__ import annotations

import ast
import importlib.util
import inspect
from functools import lru_cache

from .cases import ERRORS, Case, Engine, run

__all__ = ["features", "offers"]

# What an engine may raise to say that it does not offer something.
REFUSALS = (TypeError, AttributeError, AssertionError, ValueError)
METHODS: dict[type[ast.AST], str] = {
    **{ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "truediv"},
    **{ast.FloorDiv: "floordiv", ast.Mod: "mod", ast.Pow: "pow", ast.USub: "neg", ast.UAdd: "pos"},
}
NOT_OFFERED = ("backward", "parameters")  # which are asked for otherwise, or are not of a node
BUILTINS = {"abs": "abs(x)", "max": "x > y", "sum": "0 + x"}  # and what they call


@lru_cache(maxsize=1024)
def features(case: Case) -> frozenset[str]:
    """Return each operator and method that a case uses, as an expression in x and y.

    >>> sorted(features(Case.parse("a = 3: b = a * a; y = b.exp() -> y = 20")))
    ['x * y', 'x.exp()']
    """
    shown = [expression for expression, _ in case.claims]
    nodes = list(ast.walk(ast.parse("\n".join([case.program, *shown]))))
    modules = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    found = {f"import {module}" for module in modules}
    for node in nodes:
        match node:
            case ast.BinOp(left, op, right) | ast.AugAssign(left, op, right):
                if not (_is_plain(left) and _is_plain(right)):
                    x = left if _is_plain(left) else ast.Name("x")
                    y = right if _is_plain(right) else ast.Name("y")
                    found.add(ast.unparse(ast.BinOp(x, op, y)))
            case ast.UnaryOp(op, operand) if not _is_plain(operand):
                found.add(ast.unparse(ast.UnaryOp(op, ast.Name("x"))))
            case ast.Compare(ops=[ast.Lt() | ast.LtE() | ast.Gt() | ast.GtE() as op]):
                found.add(ast.unparse(ast.Compare(ast.Name("x"), [op], [ast.Name("y")])))
            case ast.Call(ast.Name(function)) if function in BUILTINS:
                found.add(BUILTINS[function])
            case ast.Call(ast.Attribute(ast.Name(owner), method), arguments):
                if owner not in modules and method not in NOT_OFFERED:
                    found.add(f"x.{method}({', '.join(map(ast.unparse, arguments))})")
    return frozenset(found)


def _is_plain(node: ast.expr) -> bool:
    """Return whether an operand is a number: written out, or an attribute such as `x.grad`."""
    match node:
        case ast.UnaryOp(_, operand):
            return _is_plain(operand)
        case ast.BinOp(left, _, right):
            return _is_plain(left) and _is_plain(right)
    return isinstance(node, ast.Constant | ast.Attribute)


def offers(engine: Engine, feature: str) -> bool:
    """Return whether an engine has an expression: one that works, or fails but is defined.

    >>> from microgrid import Value
    >>> offers(Value, "x ** 2"), offers(Value, "x.no_such_method()")
    (True, False)
    """
    if feature.startswith("import "):
        return importlib.util.find_spec(feature.removeprefix("import ")) is not None
    try:
        run(engine, "x, y = Value(1.5), Value(2.5)", feature)
    except NotImplementedError:
        return False
    except REFUSALS:
        return _defines(engine, feature)
    except ERRORS:
        return True
    return True


def _defines(engine: Engine, feature: str) -> bool:
    """Return whether the class defines what an expression needs: then a refusal is a failure."""
    x = engine(1.5)
    match ast.parse(feature, mode="eval").body:
        case ast.BinOp(ast.Name(), ast.Pow(), ast.Name()):
            return False  # many powers are of constant exponents alone, and say so
        case ast.BinOp(ast.Name(), op, ast.Name()):
            return hasattr(x, f"__{METHODS[type(op)]}__")
        case ast.BinOp(number, op, ast.Name()):
            # A sum can be written the other way round; 2 - x, where there is x - 2, can not.
            flipped = ast.unparse(ast.BinOp(ast.Name("x"), op, number))
            return hasattr(x, f"__r{METHODS[type(op)]}__") or (
                isinstance(op, ast.Sub | ast.Div) and offers(engine, flipped)
            )
        case ast.UnaryOp(op):
            return hasattr(x, f"__{METHODS[type(op)]}__")
        case ast.Call(ast.Name(function)):
            return hasattr(x, f"__{function}__")
        case ast.Call(ast.Attribute(_, method), arguments):
            return _takes(getattr(x, method, None), len(arguments))
    return False


def _takes(method: object, count: int) -> bool:
    """Return whether a method can be called with so many arguments, as far as it says."""
    if not callable(method):
        return False
    try:
        inspect.signature(method).bind(*range(count))
    except TypeError:
        return False
    except ValueError:  # it says nothing
        return True
    return True
