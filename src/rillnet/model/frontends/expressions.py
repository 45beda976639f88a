"""Arithmetic in documents: text that begins with `=`, computed by a small parser of its own rules.

Python's parser gives the structure and nothing else: every kind of node that is not named here is refused, and size,
depth and every result are bounded, so that a text can neither run code nor take time or memory without bound.
"""

from __future__ import annotations

import ast
import functools
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from rillnet.errors import near_or_known

LONGEST = 500
"""Characters of an expression."""
DEEPEST = 40
"""Levels of operations in each other."""
LARGEST = 2**63
"""Whole numbers stay below it."""
LONGEST_VALUE = 10_000
"""Characters of a text, items of a list."""
MOST_PLACES = 20
"""Decimal places that are rounded to."""

Lookup = Callable[[str], Any]
"""The value of a name, or an `ExpressionError`."""


class ExpressionError(ValueError):
    """An expression that has no value.

    Args:
        rule: what is wrong with it.
        hint: what may be meant.
    """

    def __init__(self, rule: str, hint: str = "") -> None:
        super().__init__(rule)
        self.rule, self.hint = rule, hint


def is_expression(value: object) -> bool:
    """Whether a value of a document is computed: text after one `=`. Two stand for a text that begins with one.

    Example:
        >>> [is_expression(value) for value in ("= 2 * features", "features", "== x", 3)]
        [True, False, False, False]
    """
    return isinstance(value, str) and value.startswith("=") and not value.startswith("==")


def as_text(value: str) -> str:
    """Text as a document must say it to mean just that: a leading `=` is doubled.

    Example:
        >>> as_text("= 2"), as_text("relu")
        ('== 2', 'relu')
    """
    return "=" + value if value.startswith("=") else value


def evaluate(text: str, lookup: Lookup) -> Any:
    """The value of an expression: a number, a truth value, text, or a list of these.

    `+ - * / // % **`, comparisons, `and or not`, `a if condition else b`, lists, `list[0]`, and the functions of
    `FUNCTIONS`. A quotient of whole numbers that leaves nothing over is a whole number.

    Args:
        text: the expression, without its mark.
        lookup: gives the values of names, dotted ones too.

    Raises:
        ExpressionError: it is no expression, it has no value, or the value is out of bounds.

    Example:
        >>> evaluate("2 * features + 4", {"features": 16}.__getitem__)
        36
        >>> evaluate("[width // 2, 6 / 2, 7 / 2]", {"width": 28}.__getitem__)
        [14, 3, 3.5]
    """
    try:
        return _Evaluator(lookup).value(_parsed(text), 0)
    except ZeroDivisionError:
        raise _at(text, ExpressionError("divides by zero")) from None
    except (OverflowError, MemoryError):
        raise _at(text, ExpressionError("the number is too large")) from None
    except ExpressionError as error:
        raise _at(text, error) from None


def names_in(text: str) -> list[str]:
    """The names that an expression uses, dotted ones whole; none if it is no expression.

    Example:
        >>> names_in("max(features, lib.units) + 1")
        ['features', 'lib.units']
    """
    try:
        tree = _parsed(text)
    except ExpressionError:
        return []
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Name | ast.Attribute)]
    names = [_dotted(node) for node in found if id(node) not in called | inner]
    return list(dict.fromkeys(name for name in names if name and name not in CONSTANTS))


def _at(text: str, error: ExpressionError) -> ExpressionError:
    shown = text if len(text) <= 60 else f"{text[:56]} ..."
    return ExpressionError(f'{error.rule} in "{shown}"', error.hint)


@functools.lru_cache(maxsize=1024)
def _parsed(text: str) -> ast.expr:
    if len(text) > LONGEST:
        raise ExpressionError(f"an expression has at most {LONGEST} characters, this one {len(text):,}")
    if "\\" in text:
        raise ExpressionError("a backslash cannot stand in an expression")
    if not text.strip():
        raise ExpressionError("an expression follows '=', as in = 2 * features")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        reason = str(error.msg).partition(" (")[0]
        hint = 'in a list or mapping on one line, what holds commas stands in quotes: "= max(a, b)"'
        raise ExpressionError(f"cannot be read: {reason}", hint if "never closed" in reason else "") from None
    except (ValueError, MemoryError, RecursionError):
        raise ExpressionError("cannot be read") from None
    return tree


def _dotted(node: ast.expr) -> str:
    """`a.b.c` of the nodes that say so, or nothing."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


class _Evaluator:
    """Computes the nodes that are allowed, and refuses all others."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def value(self, node: ast.expr, depth: int) -> Any:
        """The checked value of a node."""
        if depth > DEEPEST:
            raise ExpressionError(f"more than {DEEPEST} operations in each other")
        compute = self._KINDS.get(type(node))
        if compute is None:
            raise ExpressionError(f"{_KIND_NAMES.get(type(node), type(node).__name__)} cannot stand in an expression")
        return _checked(compute(self, node, depth + 1))

    def _constant(self, node: ast.Constant, depth: int) -> Any:
        if node.value is None or isinstance(node.value, bool | int | float | str):
            return node.value
        raise ExpressionError(f"{node.value!r} cannot stand in an expression")

    def _name(self, node: ast.Name | ast.Attribute, depth: int) -> Any:
        name = _dotted(node)
        if not name:
            raise ExpressionError("a '.' stands only between the name of an import and a name of it")
        return CONSTANTS[name] if name in CONSTANTS else self._lookup(name)

    def _unary(self, node: ast.UnaryOp, depth: int) -> Any:
        value = self.value(node.operand, depth)
        if isinstance(node.op, ast.Not):
            return not value
        symbol = _UNARY.get(type(node.op))
        if symbol is None:
            raise ExpressionError("~ cannot stand in an expression")
        return -_number(value, symbol) if symbol == "-" else _number(value, symbol)

    def _binary(self, node: ast.BinOp, depth: int) -> Any:
        found = _BINARY.get(type(node.op))
        if found is None:
            raise ExpressionError("only + - * / // % ** stand between values")
        symbol, compute = found
        a, b = self.value(node.left, depth), self.value(node.right, depth)
        if symbol == "+" and type(a) is type(b) and isinstance(a, str | list):
            return a + b
        return compute(_number(a, symbol), _number(b, symbol))

    def _boolean(self, node: ast.BoolOp, depth: int) -> Any:
        is_and = isinstance(node.op, ast.And)
        value: Any = is_and
        for item in node.values:
            value = self.value(item, depth)
            if bool(value) is not is_and:
                break
        return value

    def _comparison(self, node: ast.Compare, depth: int) -> bool:
        left = self.value(node.left, depth)
        for kind, item in zip(node.ops, node.comparators, strict=True):
            compare = _COMPARISONS.get(type(kind))
            if compare is None:
                raise ExpressionError("only == != < <= > >= in compare")
            right = self.value(item, depth)
            try:
                if not compare(left, right):
                    return False
            except TypeError:
                raise ExpressionError(f"{left!r} and {right!r} cannot be compared") from None
            left = right
        return True

    def _conditional(self, node: ast.IfExp, depth: int) -> Any:
        return self.value(node.body if self.value(node.test, depth) else node.orelse, depth)

    def _list(self, node: ast.List | ast.Tuple, depth: int) -> list[Any]:
        return [self.value(item, depth) for item in node.elts]

    def _item(self, node: ast.Subscript, depth: int) -> Any:
        values = self.value(node.value, depth)
        if isinstance(node.slice, ast.Slice):
            raise ExpressionError("a part of a list cannot be taken, only an item, as in sizes[0]")
        position = self.value(node.slice, depth)
        if not isinstance(values, list) or type(position) is not int:
            raise ExpressionError("only lists have items, at whole positions, as in sizes[0]")
        if not -len(values) <= position < len(values):
            raise ExpressionError(f"a list of {len(values)} has no item {position}")
        return values[position]

    def _call(self, node: ast.Call, depth: int) -> Any:
        name = _dotted(node.func)
        if name not in FUNCTIONS:
            hint = near_or_known(name, FUNCTIONS)
            raise ExpressionError(f"unknown function {name!r}" if name else "only functions by name are called", hint)
        if node.keywords or any(isinstance(item, ast.Starred) for item in node.args):
            raise ExpressionError(f"{name} takes values between commas only")
        values = [self.value(item, depth) for item in node.args]
        try:
            return FUNCTIONS[name](*values)
        except ExpressionError:
            raise
        except (TypeError, ValueError):
            shown = ", ".join(map(repr, values))
            raise ExpressionError(f"{name}({shown}) has no value") from None

    _KINDS: Mapping[type[ast.expr], Callable[..., Any]] = {
        ast.Constant: _constant,
        ast.Name: _name,
        ast.Attribute: _name,
        ast.UnaryOp: _unary,
        ast.BinOp: _binary,
        ast.BoolOp: _boolean,
        ast.Compare: _comparison,
        ast.IfExp: _conditional,
        ast.List: _list,
        ast.Tuple: _list,
        ast.Subscript: _item,
        ast.Call: _call,
    }


def _number(value: Any, symbol: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ExpressionError(f"{symbol} needs numbers, and {value!r} is none")
    return value


def _checked(value: Any) -> Any:
    """The value, if it is plain and within bounds."""
    if isinstance(value, complex):
        raise ExpressionError("the root of a negative number is none")
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= LARGEST:
        raise ExpressionError("the number is too large")
    if isinstance(value, float) and not math.isfinite(value):
        raise ExpressionError("the number is too large" if math.isinf(value) else "the number is undefined")
    if isinstance(value, str | list) and len(value) > LONGEST_VALUE:
        raise ExpressionError(f"a text or list of more than {LONGEST_VALUE:,}")
    return value


def _divide(a: float, b: float) -> float:
    exact = isinstance(a, int) and isinstance(b, int) and b != 0 and a % b == 0
    return a // b if exact else a / b


def _power(a: float, b: float) -> Any:
    if abs(a) > 1 and b > 0 and math.log2(abs(a)) * b >= 1024:
        raise ExpressionError("the number is too large")
    return a**b


def _rounded(value: Any, places: Any = 0) -> float:
    number = _number(value, "round")
    if type(places) is not int or abs(places) > MOST_PLACES:
        raise ExpressionError(f"round has at most {MOST_PLACES} decimal places")
    return round(number, places) if places else round(number)


def _flat(values: tuple[Any, ...], name: str) -> list[int | float]:
    """The numbers of a call with numbers, or with one list of them."""
    items = values[0] if len(values) == 1 and isinstance(values[0], list) else values
    return [_number(item, name) for item in items]


def _root(value: Any) -> float:
    return math.sqrt(_number(value, "sqrt"))


CONSTANTS: dict[str, Any] = {"true": True, "false": False, "null": None}
"""What a document's own words mean in an expression."""

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": lambda x: abs(_number(x, "abs")),
    "ceil": lambda x: math.ceil(_number(x, "ceil")),
    "float": lambda x: float(_number(x, "float")),
    "floor": lambda x: math.floor(_number(x, "floor")),
    "int": lambda x: int(_number(x, "int")),
    "len": lambda x: len(x),
    "max": lambda *x: max(_flat(x, "max")),
    "min": lambda *x: min(_flat(x, "min")),
    "round": _rounded,
    "sqrt": _root,
    "sum": lambda *x: sum(_flat(x, "sum")),
}
"""The functions of expressions."""

_UNARY: dict[type[ast.unaryop], str] = {ast.USub: "-", ast.UAdd: "+"}

_BINARY: dict[type[ast.operator], tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.Div: ("/", _divide),
    ast.FloorDiv: ("//", operator.floordiv),
    ast.Mod: ("%", operator.mod),
    ast.Pow: ("**", _power),
}

_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda item, values: item in values,
}

_KIND_NAMES: dict[type[ast.expr], str] = {
    ast.Lambda: "a function",
    ast.Dict: "a mapping",
    ast.Set: "a set",
    ast.ListComp: "a loop",
    ast.SetComp: "a loop",
    ast.DictComp: "a loop",
    ast.GeneratorExp: "a loop",
    ast.JoinedStr: "a text with values in it",
    ast.NamedExpr: "an assignment",
    ast.Starred: "a star",
    ast.Await: "await",
    ast.Yield: "yield",
}
