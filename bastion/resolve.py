"""Find the target that a name stands for, for somebody who may open it.

In      a name as the bot typed it; the login it asks for
Out     Target
Errors  UnknownTarget (no such target, or none that this identity may open: not told apart), Refused
"""

from __future__ import annotations

from bastion.errors import Refused, UnknownTarget
from bastion.principal import Principal
from bastion.settings import Config, Target
from policies import model as policy


def find_target(config: Config, name: str) -> Target | None:
    """Return the target of this name; names do not differ by case alone (OpenSSH lowers them)."""
    wanted = name.lower()
    return next((target for target in config.targets if target.name.lower() == wanted), None)


def resolve(config: Config, principal: Principal, name: str) -> Target:
    """Return the target if some login on it is open to the principal; raise UnknownTarget."""
    target = find_target(config, name)
    if target is None or not any(may_open(config, principal, target, login) for login in target.logins):
        raise UnknownTarget(f"no target {name[:64]!r} that {principal.name} may open at this bastion")
    return target


def check_login(config: Config, principal: Principal, target: Target, login: str | None) -> str:
    """Return the login if it is one of the target's and open to the principal; raise Refused."""
    open_to = [known for known in target.logins if may_open(config, principal, target, known)]
    if login is None or login not in open_to:
        names = ", ".join(open_to) or "none"
        asked = (
            f"login {login[:64]!r} is not open" if login else "say as whom, LOGIN@TARGET: no login is implied"
        )
        raise Refused(f"{asked} to {principal.name} on {target.name}; open are: {names}")
    return login


def may_open(config: Config, principal: Principal, target: Target, login: str) -> bool:
    """Say whether some rule lets the principal open a session there, whatever it then asks."""
    verdict = config.policy.may_open(access_request(principal, target, login))
    return verdict.allowed or verdict.held


def access_request(
    principal: Principal, target: Target, login: str, access: policy.Access | None = None
) -> policy.Request:
    """Return the question that policies answer."""
    return policy.Request(
        identity=principal.name,
        groups=principal.groups,
        target=target.name,
        labels=target.labels,
        login=login,
        access=access,
    )
