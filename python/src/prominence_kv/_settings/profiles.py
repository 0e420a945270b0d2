"""The client file: profiles, each with the address of a server and the way to log in to it.

Python 3.11 and later reads TOML by itself. Earlier ones need the package tomli to read profiles, and do without the
file where no profile is named.
"""

from __future__ import annotations

import importlib
import os
from typing import Any, Optional

from ..errors import SettingsError

_SETTINGS = ("url", "token-file", "ca-file", "retry-for", "ssl-verify")
_NO_TOKEN = "a token does not belong in this file; save it in a file of its own and name that file with token-file"


class Profile:
    """The settings of one profile. Paths are absolute."""

    def __init__(self, name: str, settings: dict[str, Any], file: str) -> None:
        self.name = name
        self._settings = settings
        self._file = file

    def text(self, setting: str) -> Optional[str]:
        """A setting that is a text."""
        value = self._settings.get(setting)
        if value is None or isinstance(value, str):
            return value
        raise SettingsError(f"{self._file}: {setting} of the profile {self.name} is a text in quotes")

    def path(self, setting: str) -> Optional[str]:
        """A setting that is the name of a file, relative to the client file."""
        text = self.text(setting)
        if text is None:
            return None
        return os.path.join(os.path.dirname(self._file), os.path.expanduser(text))

    def switch(self, setting: str) -> Optional[bool]:
        """A setting that is on or off."""
        value = self._settings.get(setting)
        if value is None or isinstance(value, bool):
            return value
        raise SettingsError(f"{self._file}: {setting} of the profile {self.name} is true or false, without quotes")

    def duration(self, setting: str) -> Optional[str]:
        """A setting that is a duration, or a number of seconds."""
        value = self._settings.get(setting)
        is_number = isinstance(value, int) and not isinstance(value, bool)
        return str(value) if is_number else self.text(setting)


def path() -> Optional[str]:
    """The client file's path: below `XDG_CONFIG_HOME`, otherwise below `~/.config`."""
    folder = os.environ.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(folder):
        home = os.environ.get("HOME", "")
        if not os.path.isabs(home):
            return None
        folder = os.path.join(home, ".config")
    return os.path.join(folder, "prominence", "config.toml")


def selected(named: Optional[str], by: str) -> tuple[Optional[Profile], Optional[str]]:
    """The profile of this name, or the default one; and why the file could not be read, where nobody named one."""
    file = path()
    try:
        content = _read(file)
    except SettingsError as error:
        # A job may run where its user's home can't be read, and need nothing from it.
        if named is None and error.code == _UNREADABLE:
            return None, error.message
        raise
    name = named if named is not None else content.get("default-profile")
    if name is None:
        return None, None
    profiles = content.get("profile", {})
    if name not in profiles:
        there = ", ".join(sorted(profiles))
        raise SettingsError(
            f"there is no profile {name}, which {by if named is not None else 'default-profile'} names: "
            f"{file} has {there or 'no profiles'}"
        )
    return Profile(name, profiles[name], file or ""), None


_UNREADABLE = "unreadable"
"""Marks the error of a file that can't be read, as against one with a mistake."""


def _read(file: Optional[str]) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        with open(file, "rb") as opened:
            text = opened.read(1 << 18).decode("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read {file}: {error}", code=_UNREADABLE) from None
    parser = _toml()
    if parser is None:
        raise SettingsError(f"reading {file} needs Python 3.11 or the package tomli", code=_UNREADABLE)
    try:
        content: dict[str, Any] = parser.loads(text)
    except ValueError as error:
        raise SettingsError(f"{file} is not TOML: {error}") from None
    _check(content, file)
    return content


def _toml() -> Any:
    for module in ("tomllib", "tomli"):
        try:
            return importlib.import_module(module)
        except ImportError:
            continue
    return None


def _check(content: dict[str, Any], file: str) -> None:
    for name, value in content.items():
        if name == "token":
            raise SettingsError(f"{file}: {_NO_TOKEN}")
        if name not in ("default-profile", "profile"):
            raise SettingsError(f"{file}: there is no setting {name} outside a section such as [profile.site]")
        if name == "profile" and not isinstance(value, dict):
            raise SettingsError(f"{file}: profile is a section, as in [profile.site]")
    for name, settings in content.get("profile", {}).items():
        if not isinstance(settings, dict):
            raise SettingsError(f"{file}: {name} is a section, as in [profile.{name}]")
        for setting in settings:
            if setting == "token":
                raise SettingsError(f"{file}: {_NO_TOKEN}")
            if setting not in _SETTINGS:
                raise SettingsError(
                    f"{file}: the profile {name} has no setting {setting}; it can have {', '.join(_SETTINGS)}"
                )
