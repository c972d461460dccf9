"""A server's management controller (BMC): where it is and how to log in, as the inventory says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from maintops.domain.parameters import BMC, PREFIX, unfit
from maintops.domain.servers import Server
from maintops.errors import UsageError

INTERFACES = ("lanplus", "lan")
"""How IPMI is spoken over the network: version 2.0 (RMCP+) and 1.5, in ipmitool's words."""

_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_WORDS = {"true": True, "yes": True, "false": False, "no": False}


@dataclass(frozen=True, slots=True)
class Bmc:
    """A management controller. `host` is a name or an address (IPv6 without brackets), `port` that of its HTTPS (None:
    the usual one). `verify` is whether its certificate is verified, or the path of a file of authorities to verify it
    with. `user` and `password` are empty where it lets everybody in. `cipher` is ipmitool's cipher suite (None: it
    asks the BMC for the best)."""

    host: str
    port: int | None = None
    scheme: str = "https"
    user: str = ""
    password: str = field(default="", repr=False)
    verify: bool | str = True
    ipmi_port: int = 623
    interface: str = "lanplus"
    cipher: int | None = None

    @property
    def url(self) -> str:
        """Where its Redfish service is."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + (f":{self.port}" if self.port else "")

    @classmethod
    def of(cls, server: Server) -> Bmc:
        """What the inventory says of a server's BMC. Raises UsageError, in words without a secret, where it says
        nothing or nothing that can be used."""
        said = {name: server.variables.get(f"{PREFIX}bmc_{name}") for name in BMC}
        if said["address"] is None:
            raise UsageError(f"the inventory names no management controller of it ({PREFIX}bmc_address)")
        for name, value in said.items():
            if value is not None and (problem := unfit(value, value)):
                raise UsageError(f"the inventory variable {PREFIX}bmc_{name} {problem}")
        scheme, host, port = _place(_text(said, "address"))
        user, password = _text(said, "user"), _text(said, "password")
        if bool(user) != bool(password):
            raise _wrong("password" if user else "user", "is missing")
        if scheme == "http" and password and not _is_loopback(host):
            raise _wrong("address", "begins with http://: a password travels only over https://")
        return cls(
            host=host,
            port=port,
            scheme=scheme,
            user=user,
            password=password,
            verify=_verify(said["verify"]),
            ipmi_port=_number(said, "ipmi_port", 65535) or 623,
            interface=_interface(said),
            cipher=_number(said, "cipher", 17),
        )


def bmc_refusal(server: Server) -> str | None:
    """Why a server's BMC cannot be asked, in words for people; None when it can. Nothing is contacted."""
    try:
        Bmc.of(server)
    except UsageError as error:
        return str(error)
    return None


def _wrong(name: str, what: str) -> UsageError:
    return UsageError(f"the inventory variable {PREFIX}bmc_{name} {what}")


def _text(said: Mapping[str, Any], name: str) -> str:
    """A text; a number that YAML made of one (a password of digits) is one too."""
    value = said[name]
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _wrong(name, "must be text")
    if _CONTROL.search(str(value)):
        raise _wrong(name, "holds a control character")
    return str(value)


def _place(address: str) -> tuple[str, str, int | None]:
    """`host`, `host:port`, `[ipv6]:port`, `ipv6` or an URL: its scheme, host and port."""
    text = address.strip()
    if _is_address(text):
        return "https", text, None
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _wrong("address", "is not a host, host:port or https://…") from None
    if parts.username is not None or parts.password is not None:
        raise _wrong("address", f"holds a login; that belongs into {PREFIX}bmc_user and {PREFIX}bmc_password")
    if parts.scheme not in ("https", "http"):
        raise _wrong("address", "is neither https:// nor http://")
    if parts.path.strip("/") not in ("", "redfish", "redfish/v1") or parts.query or parts.fragment:
        raise _wrong("address", "has a path; the service is always at /redfish/v1")
    if not (_is_address(host) or _HOST.fullmatch(host)) or port == 0:
        raise _wrong("address", "is not a host, host:port or https://…")
    return parts.scheme, host, port


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ip_address(host).is_loopback)


def _verify(value: Any) -> bool | str:
    """True where nothing is said: only a word that means no turns verification off."""
    if value is None:
        return True
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or not value.strip() or _CONTROL.search(value):
        raise _wrong("verify", "must be true, false or the path of a file of authorities")
    return _WORDS.get(value.strip().lower(), value)


def _interface(said: Mapping[str, Any]) -> str:
    value = _text(said, "interface") or INTERFACES[0]
    if value not in INTERFACES:
        raise _wrong("interface", f"must be one of {', '.join(INTERFACES)}")
    return value


def _number(said: Mapping[str, Any], name: str, most: int) -> int | None:
    """A whole number from 1 on (Ansible hands some on as text); None where nothing is said."""
    text = _text(said, name).strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= most):
        raise _wrong(name, f"must be a whole number from 1 to {most}")
    return int(text)
