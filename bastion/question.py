"""Ask the policy in force what one session may do, by what the configuration says of it now.

In      who, where, as whom; the kind of access
Out     the policy and what it is asked; whether an access may begin; the line for a bot that may not
Errors  Refused: the identity, the target or the login is gone
"""

from __future__ import annotations

from collections.abc import Callable

from bastion.errors import Refused
from bastion.principal import Principal, principal_of
from bastion.resolve import access_request, find_target
from bastion.settings import Config, Target
from policies.engine import Policy
from policies.facts import Facts
from policies.limit import Limit
from policies.masking.plan import Plan
from policies.model import Access, Request, Verdict, VerdictKind


class Question:
    """The standing question of one session."""

    def __init__(
        self, principal: Principal, target: Target, login: str, config: Callable[[], Config]
    ) -> None:
        self._principal = principal
        self._target = target
        self._login = login
        self._config = config

    def asked(self, access: Access) -> tuple[Policy, Request]:
        """Return the policy in force and what it is asked; raise Refused."""
        config = self._config()
        principal = principal_of(self._principal.login, config, self._principal.peer)
        target = find_target(config, self._target.name)
        if target is None or self._login not in target.logins:
            raise Refused(f"{self._login}@{self._target.name} is no longer open")
        return config.policy, access_request(principal, target, self._login, access)

    def begins(self, access: Access | None) -> Verdict:
        """Return whether an access may begin."""
        if access is None:
            return _denied("this subsystem is not served here")
        try:
            policy, request = self.asked(access)
            return policy.decide(request)
        except Refused as error:
            return _denied(error.public)

    def masked(self, access: Access | None, facts: Facts | None = None) -> Plan | None:
        """Return what is masked of an access; None if nothing is, or if it may not begin at all.

        With the `facts` of the one statement that runs, what exceptions say of the files that it prints passes.
        """
        if access is None:
            return None
        try:
            policy, request = self.asked(access)
        except Refused:
            return None
        return policy.masking(request, facts)

    def excepts_files(self, access: Access) -> bool:
        """Say whether what is masked depends on the files that a statement prints."""
        try:
            policy, request = self.asked(access)
        except Refused:
            return False
        return policy.excepts_files(request)

    def limited(self, access: Access | None) -> tuple[Limit, ...]:
        """Return the limits on the answers of an access."""
        if access is None:
            return ()
        try:
            policy, request = self.asked(access)
        except Refused:
            return ()
        return policy.limiting(request)

    def denial(self, access: Access | None, verdict: Verdict, session: str) -> str:
        """Return what a bot is told whose access may not begin."""
        what = access.value if access is not None else "this subsystem"
        by = f" by rule {', '.join(verdict.rules)}" if verdict.rules else ""
        return f"{what} denied on {self._target.name}{by}: {verdict.reason} (session {session})"


def _denied(reason: str) -> Verdict:
    return Verdict(kind=VerdictKind.DENY, rules=(), reason=reason)
