"""Roles of people: what somebody may do with agents, beside what an agent itself may do.

    role        permissions                                                              requests a minute
    admin       all                                                                      any number
    operator    run_agent, view_logs, manage_skills, configure_guardrails                60
    developer   create_agent, run_agent, manage_skills, view_logs                        120
    viewer      view_logs                                                                30
    custom      what its entry in [roles] names

A denied skill beats an allowed one; a role without allowed skills may use none but those that `*` names. A person with
several roles has the permissions of all, and a skill that any of them denies is denied.
Source: spec/security.md 3 (names, permissions and rates; which role holds which is our reading).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from remit.core.grants import name_match
from remit.core.sections import RoleSection
from remit.errors import Denied, Exhausted, Invalid

PERMISSIONS: Final = (
    "create_agent",
    "run_agent",
    "manage_skills",
    "view_logs",
    "manage_tenants",
    "configure_guardrails",
)
MINUTE_MS: Final = 60_000


class Role(Struct, frozen=True):
    """One role."""

    name: str
    permissions: frozenset[str] = frozenset()
    allowed_skills: tuple[str, ...] = ("*",)
    """globs of tools, skills and agents"""
    denied_skills: tuple[str, ...] = ()
    requests_per_minute: int | None = 30
    """None = any number"""


ROLES: Final[dict[str, Role]] = {
    role.name: role
    for role in (
        Role("admin", frozenset(PERMISSIONS), requests_per_minute=None),
        Role(
            "operator",
            frozenset({"run_agent", "view_logs", "manage_skills", "configure_guardrails"}),
            requests_per_minute=60,
        ),
        Role(
            "developer",
            frozenset({"create_agent", "run_agent", "manage_skills", "view_logs"}),
            requests_per_minute=120,
        ),
        Role("viewer", frozenset({"view_logs"}), allowed_skills=(), requests_per_minute=30),
    )
}


def roles_of(sections: Mapping[str, RoleSection]) -> dict[str, Role]:
    """The built-in roles and those of [roles]; raises policy_invalid for an unknown permission or a built-in's name."""
    found = dict(ROLES)
    for name, section in sections.items():
        if name in ROLES:
            raise Invalid("policy_invalid", f"roles.{name} is built in; give a custom role another name")
        unknown = [p for p in section.permissions if p not in PERMISSIONS]
        if unknown:
            raise Invalid("policy_invalid", f"roles.{name}: {unknown[0]!r} is no permission; {', '.join(PERMISSIONS)}")
        found[name] = Role(
            name,
            frozenset(section.permissions),
            section.allowed_skills,
            section.denied_skills,
            section.requests_per_minute,
        )
    return found


class Person:
    """Somebody who uses the runtime, and how often they did in the last minute."""

    def __init__(self, name: str, roles: Iterable[Role]) -> None:
        self.name = name
        self.roles = tuple(roles)
        self._times: deque[int] = deque()

    def may(self, permission: str) -> bool:
        """Whether any role holds the permission; raises policy_invalid for one that there is not."""
        if permission not in PERMISSIONS:
            raise Invalid("policy_invalid", f"{permission!r:.60} is no permission; {', '.join(PERMISSIONS)}")
        return any(permission in role.permissions for role in self.roles)

    def may_use(self, skill: str) -> bool:
        """Whether a role allows the skill and none denies it."""
        if any(name_match(glob, skill) for role in self.roles for glob in role.denied_skills):
            return False
        return any(name_match(glob, skill) for role in self.roles for glob in role.allowed_skills)

    def check(self, permission: str, skill: str, now_ms: int) -> None:
        """Let one request through and count it.

        Args:
            permission: what the request needs.
            skill: the tool, skill or agent that it names; "" = none.
            now_ms: wall clock.

        Raises: Denied role_denied; Exhausted cap_reached.
        """
        held = ", ".join(role.name for role in self.roles) or "no role"
        if not self.may(permission):
            raise Denied("role_denied", f"{self.name} ({held}) has no permission {permission}")
        if skill and not self.may_use(skill):
            raise Denied("role_denied", f"{self.name} ({held}) may not use {skill}")
        rates = [role.requests_per_minute for role in self.roles]
        limit = None if None in rates else max((r for r in rates if r is not None), default=0)
        while self._times and self._times[0] <= now_ms - MINUTE_MS:
            self._times.popleft()
        if limit is not None and len(self._times) >= limit:
            raise Exhausted("cap_reached", f"{self.name} ({held}): {limit} requests a minute are used")
        if limit is not None:
            self._times.append(now_ms)
