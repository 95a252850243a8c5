"""A site policy in the Cedar language, which can only take away (extra `policy`).

Every need of an effect is one Cedar request, and so is calling the tool itself:

    principal   Agent::"NAME"
    action      Action::"VERB"             tool, model, fs.read, net, shell, ...
    resource    Resource::"RESOURCE"       the path, `GET https://host:443/path`, the command line, the tool's name
    context     tool, effect; net: method, scheme, host, port, path; shell: program, argv

    permit (principal, action == Action::"fs.read", resource) when { resource has path || true };
    @id("no pushes") forbid (principal, action == Action::"shell", resource) when { context.program == "git" };

Cedar itself denies by default and lets forbid win. A policy that fails to evaluate is a denial here: Cedar would skip
it, and a skipped `forbid` opens what it should close. Source: Cedar language guide, sections "authorization" and
"policy evaluation errors".
"""

from __future__ import annotations

from typing import Any

from remit.config import read_bounded
from remit.core.decisions import Decision, Facts
from remit.core.effects import Need
from remit.errors import Invalid, Unavailable


class CedarPolicy:
    """A parsed set of Cedar policies."""

    def __init__(self, text: str, place: str = "cedar") -> None:
        """Raises: policy_invalid; extra_missing without cedarpy."""
        try:
            import cedarpy
        except ImportError:
            raise Unavailable(
                "extra_missing", "a Cedar policy needs cedarpy", hint="pip install 'remit[policy]'"
            ) from None
        try:
            self._policies = cedarpy.PolicySet.from_str(text)
        except ValueError as e:
            raise Invalid("policy_invalid", f"{place}: {str(e)[:500]}") from None
        self._entities = cedarpy.Entities.from_json_str("[]")
        self._ask = cedarpy.is_authorized
        self.place = place

    def decide(self, facts: Facts) -> Decision:
        """allow or deny, with the policies that decided."""
        own = Need(facts.kind, facts.name)
        rule = ""
        for need in dict.fromkeys((own, *facts.needs)):
            answer = self._ask(_request(facts, need), self._policies, self._entities)
            errors = answer.diagnostics.errors
            if errors:
                return Decision(
                    "deny", f"{self.place}: a policy fails on {need}: {str(errors[0])[:200]}", "site_denied"
                )
            names = answer.diagnostics.id_annotations_by_reason
            rule = ", ".join(names.get(r) or r for r in answer.diagnostics.reasons)
            if not answer.allowed:
                return Decision("deny", f"{self.place}: {rule or f'nothing permits {need}'}", "site_denied")
        return Decision("allow", f"{self.place}: {rule}")


def load_cedar_policy(path: str) -> CedarPolicy:
    """The policies of a file. Raises: policy_invalid, extra_missing, config_invalid where it cannot be read."""
    try:
        return CedarPolicy(read_bounded(path).decode(), path)
    except UnicodeDecodeError as e:
        raise Invalid("policy_invalid", f"{path}: not UTF-8 at byte {e.start}") from None


def _request(facts: Facts, need: Need) -> dict[str, Any]:
    context: dict[str, Any] = {"tool": facts.name, "effect": facts.effect}
    if need.verb == "net" and len(need.detail) == 5:
        method, scheme, host, port, path = need.detail
        context |= {"method": method, "scheme": scheme, "host": host, "port": int(port), "path": path}
    elif need.verb == "shell":
        context |= {"program": need.detail[0] if need.detail else "", "argv": list(need.detail)}
    return {
        "principal": {"type": "Agent", "id": facts.agent},
        "action": {"type": "Action", "id": need.verb},
        "resource": {"type": "Resource", "id": need.resource},
        "context": context,
    }
