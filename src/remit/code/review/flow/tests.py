"""What a condition says of tainted data: comparisons, membership, and how tests combine."""

from __future__ import annotations

import re
from typing import Any, Final

from remit.code.review import ir
from remit.code.review.flow import constants
from remit.code.review.flow.run import Run, data_facts, facts
from remit.code.review.flow.values import CLEAN, EVERYTHING, UNKNOWN, Check, Facts, Value, both, either

ALL: Final = frozenset((EVERYTHING,))
PLACE: Final = frozenset(("redirect", "ssrf"))
_HOST: Final = re.compile(r"(netloc|hostname|host|origin|Host|Hostname)(\(\))?(\[\])?$")
_HOST_FIELDS: Final = frozenset(("netloc", "hostname", "host", "Host"))
_RESOLVED: Final = re.compile(r"(realpath|abspath|resolve|normpath|absolute|commonpath|commonprefix|basename|Clean|Abs|"
                              r"canonicalize|normalize|EvalSymlinks|parents?)\b")  # fmt: skip


def combined(a: Check | None, b: Check | None, *, conjunction: bool) -> Check | None:
    """The test `a and b`, or `a or b`."""
    if a is None and b is None:
        return None
    a = a or Check(CLEAN, CLEAN)
    b = b or Check(CLEAN, CLEAN)
    if conjunction:
        return Check(both(a.true, b.true), either(a.false, b.false))
    return Check(either(a.true, b.true), both(a.false, b.false))


def comparison(run: Run, node: ir.Binary, left: Value, right: Value) -> Value:
    """`left op right` as a test."""
    made = Value(_const(run, node.op, left, right))
    facts_if_true = _facts(run, node, left, right)
    negative = node.op in ("!=", "not in", "is not", "!==", "<>")
    if right.const is None and node.op in ("==", "===", "is", "!=", "!==", "is not") and left.check is not None:
        made.check = left.check if negative else left.check.flipped()
    elif isinstance(right.const, bool) and left.check is not None and node.op in ("==", "===", "is", "!=", "!=="):
        made.check = left.check if right.const is not negative else left.check.flipped()
    elif facts_if_true[0] or facts_if_true[1]:
        made.check = Check(*facts_if_true)
        if negative:
            made.check = made.check.flipped()
    return made


def _const(run: Run, op: str, left: Value, right: Value) -> Any:
    if op in ("in", "not in"):
        box = run.box(right)
        if box is not None and box.rest is None and left.const is not UNKNOWN and not right.taints:
            known = [one.const for one in box.items] if box.items is not None else list(box.keys)
            if left.const in known or UNKNOWN not in known:
                return (left.const in known) == (op == "in")
            return UNKNOWN
    if left.taints or right.taints:
        return UNKNOWN
    return constants.binary(op, left.const, right.const)


def _facts(run: Run, node: ir.Binary, left: Value, right: Value) -> tuple[Facts, Facts]:
    """(what holds when the positive form is true, what holds when it is false)."""
    if node.op in ("in", "not in"):
        return _membership(run, node, left, right)
    if node.op in ("==", "!=", "===", "!==", "is", "is not", "<>"):
        for side, other in ((left, right), (right, left)):
            if side.taints and not run.deep(other) and other.const is not None and other.const != "":
                return same(side), CLEAN
        if isinstance(right.const, int) and right.const in (0, -1) and left.check is not None:
            # `x.find("..") == -1`: what the search looked for is not there.
            return (left.check.false, left.check.true) if right.const == -1 else (CLEAN, CLEAN)
    if node.op in ("<", ">=", "<=", ">") and left.check is not None and right.const in (0, -1):
        return (left.check.false, CLEAN) if node.op == "<" else (CLEAN, CLEAN)
    return CLEAN, CLEAN


def is_host(name: str) -> bool:
    """Whether a field is the host of an address: where it is empty or known, the address stays at home."""
    return name in _HOST_FIELDS


def same(value: Value) -> Facts:
    """What equality with something trusted makes harmless: the value; of its data what the part that it is settles."""
    if _HOST.search(value.qual):
        return {**data_facts(value, PLACE), value.identity: ALL}
    if re.search(r"commonpath|commonprefix", value.qual):
        return data_facts(value, frozenset(("path",)))
    return facts(value, ALL)


def _membership(run: Run, node: ir.Binary, left: Value, right: Value) -> tuple[Facts, Facts]:
    if left.taints and not run.deep(right):
        return same(left), CLEAN
    if right.taints and _RESOLVED.search(right.qual) and right.qual.endswith((".parents", "parents")):
        return data_facts(right, frozenset(("path",))), CLEAN
    if right.taints and isinstance(left.const, str):
        sliced = isinstance(node.right, ir.Index) and isinstance(node.right.key, ir.Slice)
        return CLEAN, (data_facts if sliced else facts)(right, absent(left.const, sliced))
    return CLEAN, CLEAN


_LETTERS: Final = frozenset(("isalnum", "isalpha", "isdigit", "isdecimal", "isnumeric", "isidentifier",
                             "is_alphanumeric", "is_ascii_alphanumeric", "is_alphabetic",
                             "is_ascii_alphabetic", "is_numeric", "is_ascii_digit", "is_digit"))  # fmt: skip


def every_facts(run: Run, node: ir.Node, subject: Value) -> Facts:
    """What `all(c.isalnum() for c in x)`, `all(c in LETTERS for c in x)`, `x.chars().all(|c| c.is_numeric())` say."""
    given = node.args[0] if isinstance(node, ir.Call) and node.args else None
    one = given.function.value if isinstance(given, ir.Lambda) else given.element if isinstance(
        given, ir.Comprehension) else None  # fmt: skip
    if isinstance(one, ir.Call) and ir.last_name(one.callee) in _LETTERS:
        return facts(subject, ALL)
    if isinstance(one, ir.Binary) and one.op == "in":
        from remit.code.review.flow.expressions import value_of

        letters = value_of(run, one.right).const
        plain = isinstance(letters, str) and re.fullmatch(r"[\w ,:@+-]*", letters) is not None
        return facts(subject, ALL) if plain else CLEAN
    return CLEAN


def absent(text: str, sliced: bool = False) -> frozenset[str]:
    """The kinds of sink for which data without this text is harmless.

    A quote that is nowhere inside the outer ones cannot end the literal that they are.
    """
    if text in ("..", "../", "..\\"):
        return frozenset(("path",))
    if text in ("'", '"'):
        return frozenset(("xpath", "sql", "code") if sliced else ("xpath", "sql"))
    if text in ("(", ")"):
        return frozenset(("ldap",))
    if text == "<":
        return frozenset(("xss",))
    return frozenset(("redirect", "ssrf")) if text in ("://", "//") else frozenset()


def prefix(value: Value, const: Any) -> Facts:
    """What `value.startswith(const)` says when it holds."""
    if isinstance(const, str):
        if _RESOLVED.search(value.qual):
            return data_facts(value, frozenset(("path",)))
        if re.match(r"https?://[^/]+/|/[^/\\]", const):
            return facts(value, PLACE)
        return CLEAN
    return data_facts(value, frozenset(("path",))) if _RESOLVED.search(value.qual) else CLEAN


_SAFE_CLASS: Final = re.compile(r"^\^?[\^(]*(?:(?:\[(?:\\w|\\d|[\w\s-]|\\-|_|\\\.|\.(?!\.)|,|@)+\]|\\d|\\w|[\w-]|\\\.)"
                                r"(?:[+*?]|\{[\d,]+\})?|[()|]|\(\?:)+\)*(?:\$|\\Z|\\z)?$")  # fmt: skip


def pattern_facts(value: Value, pattern: Any, whole: bool) -> Facts:
    """What matching a constant pattern says: letters, digits and a few marks, from end to end, are harmless."""
    if not isinstance(pattern, str) or len(pattern) > 300 or not _SAFE_CLASS.match(pattern):
        return CLEAN
    closed = whole or pattern.endswith(("$", "\\Z", "\\z"))
    if not closed:
        return CLEAN
    kinds = ALL if "." not in pattern else frozenset(
        ("sql", "command", "code", "xss", "xpath", "ldap", "template"))  # fmt: skip
    return facts(value, kinds)
