"""Which proxy to go through, by the same variables and rules as curl (curl(1), "ENVIRONMENT")."""

from __future__ import annotations

import base64
import ipaddress
import os
import re
from collections.abc import Sequence
from typing import Optional, Union
from urllib.parse import unquote

from ..errors import SettingsError

_DEFAULT_PORT = 1080
"""The port of a proxy whose URL has none, as curl has it."""

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]


class Proxy:
    """A proxy for HTTP. Its `repr` has no password."""

    def __init__(self, text: str, variable: str) -> None:
        self.variable = variable
        self.host, self.port, self._user, self._password = _parsed(text.strip(), variable)

    def authorization(self) -> Optional[str]:
        """What the proxy is told of who asks (RFC 9110, section 11.7.2)."""
        if self._user is None:
            return None
        secret = f"{self._user}:{self._password}".encode()
        return "Basic " + base64.b64encode(secret).decode("ascii")

    @property
    def auth(self) -> Optional[tuple[str, str]]:
        """User and password."""
        return None if self._user is None else (self._user, self._password)

    @property
    def url(self) -> str:
        """Its address, without user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def __repr__(self) -> str:
        return f"the proxy {self.url} (from {self.variable})"


def named_proxy(host: str, encrypted: bool) -> Optional[Proxy]:
    """The proxy that variables name for a server."""
    # HTTP_PROXY is also what a CGI program is told of a caller's header `Proxy`, so curl does not read it.
    names = ("https_proxy", "HTTPS_PROXY") if encrypted else ("http_proxy",)
    found = _first_set((*names, "all_proxy", "ALL_PROXY"))
    if found is None:
        return None
    exempt = _first_set(("no_proxy", "NO_PROXY"))
    if exempt is not None and is_exempt(host, exempt[1]):
        return None
    return Proxy(found[1], found[0])


def _first_set(names: Sequence[str]) -> Optional[tuple[str, str]]:
    for name in names:
        text = os.environ.get(name)
        if text:
            return name, text
    return None


def _parsed(text: str, variable: str) -> tuple[str, int, Optional[str], str]:
    def refused(reason: str) -> SettingsError:
        # The text may have a password and is not shown.
        return SettingsError(f"{variable} does not name a proxy: {reason}; correct it, or unset it")

    scheme, found, rest = text.partition("://")
    if not found:
        scheme, rest = "http", text
    if scheme.lower() != "http":
        raise refused("this library goes through http:// proxies only")
    authority = rest.split("/", 1)[0]
    login, _, place = authority.rpartition("@")
    user, _, password = login.partition(":")
    matched = re.fullmatch(r"(\[[^]]+\]|[^:\s]+)(?::(\d+))?", place)
    if matched is None:
        raise refused("it is no URL such as http://proxy.example.org:3128")
    port = int(matched[2] or _DEFAULT_PORT)
    if not 0 < port < 1 << 16:
        raise refused("it has no port between 1 and 65535")
    return matched[1].strip("[]"), port, unquote(user) if login else None, unquote(password)


def is_exempt(host: str, names: str) -> bool:
    """Whether a list has this host on it. A name stands for the hosts below it too; `*` alone is every host."""
    if names.strip() == "*":
        return True
    host = _bare(host)
    address = _address(host)
    for name in re.split(r"[,\s]+", names):
        if not name:
            continue
        if address is not None:
            if _has(name, address):
                return True
            continue
        name = _bare(name[1:] if name.startswith(".") else name)
        if name and (host == name or host.endswith("." + name)):
            return True
    return False


def _bare(text: str) -> str:
    return text.strip("[]").rstrip(".").lower()


def _address(text: str) -> Optional[Address]:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _has(name: str, address: Address) -> bool:
    network, slash, bits = name.partition("/")
    try:
        if slash:
            return address in ipaddress.ip_network(f"{_bare(network)}/{bits}", strict=False)
        return ipaddress.ip_address(_bare(name)) == address
    except ValueError:
        return False
