"""What all runs of a runtime share of the screen (screen.py): the rules, and whether a model is on this machine.

Apart from it, because a process whose models are all local and that has no rule never loads the screen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from remit.core.addresses import looks_like_ipv4
from remit.core.effects import Deny
from remit.core.events import Screened
from remit.core.urls import parse_url
from remit.errors import RemitError

if TYPE_CHECKING:
    from remit.core.sections import GuardrailsSection, SecondFactorSection
    from remit.guard.estop import EmergencyStop
    from remit.guard.guardrails import AnyCheck
    from remit.guard.rule_set import Compiled
    from remit.guard.screen import Screen


class Screening:
    """What all runs of a runtime share: the rules, compiled once, and which models are remote.

    Args:
        section: `[guardrails]` of remit.toml.
        checks: functions of custom rules, by the rule's name.
        second_factor: which calls a person must approve with a code.
        stop: the emergency stop; None = there is none.

    Raises: config_invalid.
    """

    def __init__(
        self,
        section: GuardrailsSection | None = None,
        *,
        checks: Mapping[str, AnyCheck] | None = None,
        second_factor: SecondFactorSection | None = None,
        stop: EmergencyStop | None = None,
    ) -> None:
        self.rules: tuple[Compiled, ...] = () if section is None and not checks else _compiled(section, checks)
        self.mask = section is not None and section.remote_pii == "mask"
        self.second_factor = second_factor
        self.stop = stop
        coded = second_factor is not None and (second_factor.tools or second_factor.hosts)
        self._needed = bool(self.rules or coded)
        self._local = frozenset(h.lower() for h in section.local or ()) if section is not None else frozenset()
        self._remote: dict[str, bool] = {}

    def begin(self, emit: Callable[[Screened], None]) -> Screen | None:
        """The screen of a new run; None while nothing asks for one."""
        return _screen(self, emit) if self._needed else None

    def again(
        self, screen: Screen | None, emit: Callable[[Screened], None], found: Sequence[Screened]
    ) -> Screen | None:
        """The screen of a resumed run: what had tripped has tripped, and an answer that was withheld stays so."""
        for each in found:
            withheld = each.stage == "output" and each.severity == "block"
            if each.level == "critical" or withheld:
                screen = screen or _screen(self, emit)
                screen.remember(each, withheld or each.stage == "output")
        return screen

    def admit(self) -> None:
        """Whether a run may begin or go on; raises estop, before anything of it is written."""
        if self.stop is not None:
            self.stop.check_start()

    def stopped(self) -> Deny | None:
        """The emergency stop's no to an effect."""
        return None if self.stop is None else self.stop.check()

    def for_model(self, url: str, screen: Screen | None, emit: Callable[[Screened], None]) -> Screen | None:
        """The screen that a call of the model at `url` needs: a remote one always needs one."""
        return _screen(self, emit) if screen is None and self.remote(url) else screen

    def remote(self, url: str) -> bool:
        """Whether what is sent to `url` leaves this machine; a model in this process has no url."""
        known = self._remote.get(url)
        if known is None:
            known = self._remote[url] = bool(url) and not self._is_local(url)
        return known

    def _is_local(self, url: str) -> bool:
        try:
            host = parse_url(url).host
        except RemitError:
            return False
        loopback = host in ("localhost", "::1") or (looks_like_ipv4(host) and host.startswith("127."))
        return loopback or host in self._local


def _compiled(section: GuardrailsSection | None, checks: Mapping[str, AnyCheck] | None) -> tuple[Compiled, ...]:
    from remit.guard.rule_set import compiled, rules_of  # only where something is configured

    rules = () if section is None else rules_of(section)
    return compiled(rules, checks or {}) if rules or checks else ()


def _screen(screening: Screening, emit: Callable[[Screened], None]) -> Screen:
    from remit.guard.screen import Screen  # only a run that needs one

    return Screen(screening, emit)
