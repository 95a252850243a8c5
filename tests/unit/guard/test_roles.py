"""Roles of people."""

from __future__ import annotations

import pytest

from remit.core.sections import RoleSection
from remit.errors import Denied, Exhausted, Invalid
from remit.guard.roles import PERMISSIONS, ROLES, Person, Role, roles_of

TABLE = {
    "admin": PERMISSIONS,
    "operator": ("run_agent", "manage_skills", "view_logs", "configure_guardrails"),
    "developer": ("create_agent", "run_agent", "manage_skills", "view_logs"),
    "viewer": ("view_logs",),
}


@pytest.mark.parametrize("name", TABLE)
def test_a_role_holds_exactly_its_permissions(name: str) -> None:
    """No more, no less."""
    person = Person("ann", [ROLES[name]])
    assert tuple(p for p in PERMISSIONS if person.may(p)) == TABLE[name]


@pytest.mark.parametrize(("name", "rate"), [("operator", 60), ("developer", 120), ("viewer", 30)])
def test_a_role_has_its_rate(name: str, rate: int) -> None:
    """So many requests pass in any minute, then cap_reached; a minute later they pass again."""
    person = Person("ann", [ROLES[name]])
    for _ in range(rate):
        person.check("view_logs", "", 0)
    with pytest.raises(Exhausted) as caught:
        person.check("view_logs", "", 59_999)
    assert caught.value.code == "cap_reached"
    person.check("view_logs", "", 60_000)


def test_an_admin_has_no_rate() -> None:
    """Any number of requests passes."""
    person = Person("root", [ROLES["admin"]])
    for _ in range(1000):
        person.check("manage_tenants", "anything", 0)


def test_a_denied_skill_beats_an_allowed_one_across_roles() -> None:
    """Permissions add up, a denial of any role stands, a refused request counts nothing."""
    custom = roles_of({"qa": RoleSection(("run_agent",), ("test_*",), ("test_deploy",), 1)})["qa"]
    person = Person("bob", [custom, ROLES["viewer"]])
    assert [person.may_use(s) for s in ("test_unit", "test_deploy", "other")] == [True, False, False]
    with pytest.raises(Denied) as caught:
        person.check("run_agent", "test_deploy", 0)
    assert caught.value.code == "role_denied"
    with pytest.raises(Denied):
        person.check("create_agent", "", 0)
    person.check("run_agent", "test_unit", 0)


def test_somebody_without_a_role_may_nothing() -> None:
    """No role, no permission, no skill."""
    person = Person("eve", [])
    assert not any(person.may(p) for p in PERMISSIONS)
    assert not person.may_use("x")
    assert not Person("v", [Role("empty", allowed_skills=())]).may_use("x")


@pytest.mark.parametrize("sections", [{"admin": RoleSection()}, {"x": RoleSection(("fly",))}])
def test_a_wrong_role_is_refused(sections: dict[str, RoleSection]) -> None:
    """A built-in's name and an unknown permission are policy_invalid."""
    with pytest.raises(Invalid):
        roles_of(sections)
    with pytest.raises(Invalid):
        Person("a", []).may("fly")
