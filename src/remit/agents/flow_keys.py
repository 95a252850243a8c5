"""Structural keys of a workflow: where in its code something happens, whatever the scheduler does.

    wf/fetch   wf/fetch#1   wf/fanout[7]/fetch#1   wf/fetch/try/2

Within a branch things happen one after the other, so the n-th thing of a branch must be the n-th of the journal;
otherwise the code has changed. Branches are made by `flow.gather` only. Two things at once in one branch would make
their order a matter of luck, and are refused.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Final

from remit.errors import Invalid, NonDeterminism

ROOT: Final = "wf"


class Branch:
    """One line of execution."""

    __slots__ = ("_counts", "_keys", "at", "busy", "prefix")

    def __init__(self, keys: Keys, prefix: str) -> None:
        self._keys = keys
        self._counts: dict[str, int] = {}
        self.busy = ""
        """what is under way"""
        self.prefix = prefix
        self.at = 0
        """how many recorded things have been asked for"""

    def beside(self, prefix: str) -> Branch:
        """A branch of the same activation."""
        return self._keys.branch(prefix)

    def numbered(self, name: str) -> str:
        """`prefix/name`, and `#1`, `#2` ... for further ones of the name."""
        number = self._counts.get(name, 0)
        self._counts[name] = number + 1
        return f"{self.prefix}/{name}#{number}" if number else f"{self.prefix}/{name}"

    def key(self, name: str) -> str:
        """The key of the next thing; raises nondeterminism when the journal holds another one here."""
        key = self.numbered(name)
        expected = self._keys.recorded.get(self.prefix, ())
        if self.at < len(expected) and expected[self.at] != key:
            raise NonDeterminism(
                "nondeterminism",
                f"{self.prefix}, number {self.at + 1}: the journal holds {self._keys.shown(expected[self.at])}, "
                f"the code asks for {key}",
            )
        self.at += 1
        return key

    @property
    def replaying(self) -> bool:
        """Whether the journal holds more of this branch than the code has asked for."""
        return self.at < len(self._keys.recorded.get(self.prefix, ()))

    def alone(self, name: str) -> Alone:
        """Around one thing; entering raises usage_invalid when another one of this branch is under way."""
        return Alone(self, name)


class Alone:
    """What `Branch.alone` gives; a plain class, because it stands around every step."""

    __slots__ = ("_branch", "_name")

    def __init__(self, branch: Branch, name: str) -> None:
        self._branch = branch
        self._name = name

    def __enter__(self) -> None:
        branch = self._branch
        if branch.busy:
            raise Invalid(
                "usage_invalid",
                f"{self._name} while {branch.busy} of {branch.prefix} is under way",
                hint="Run things side by side with flow.gather: it gives each its own keys.",
            )
        branch.busy = self._name

    def __exit__(self, *_: object) -> None:
        self._branch.busy = ""


class Keys:
    """The branches of one activation, and what the journal holds of each."""

    def __init__(self, recorded: Any = ()) -> None:
        self._records = recorded
        self.recorded: dict[str, list[str]] = {}
        """branch -> its keys in the order in which they were first written"""
        for record in recorded:
            prefix, _, name = record.key.rpartition("/")
            if name and prefix.startswith(ROOT):
                self.recorded.setdefault(prefix, []).append(record.key)
        self._branches: dict[str, Branch] = {}

    def branch(self, prefix: str) -> Branch:
        """A new branch."""
        found = self._branches[prefix] = Branch(self, prefix)
        return found

    def shown(self, key: str) -> str:
        """A recorded key with what stands there."""
        record = self._records.get(key)
        return key if record is None or not record.name else f"{key} ({record.name} {record.digest[:12]})"

    def finish(self) -> None:
        """The code has ended; raises nondeterminism when it left out something that the journal holds."""
        for prefix, keys in self.recorded.items():
            branch = self._branches.get(prefix)
            at = branch.at if branch is not None else 0
            if at < len(keys) and (branch is not None or prefix.endswith("]")):
                raise NonDeterminism(
                    "nondeterminism",
                    f"{prefix}: the journal holds {self.shown(keys[at])}, the code ended without it",
                )


here: ContextVar[Branch] = ContextVar("remit_branch")
