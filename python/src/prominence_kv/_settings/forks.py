"""What a process does after a fork: locks that other threads of the parent had are made anew in the child."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forked(Protocol):
    """Something with a state that a child must not share with its parent."""

    def after_fork(self) -> None:
        """Called in the child, before anything else runs there."""


_registered: weakref.WeakSet[Forked] = weakref.WeakSet()


def after_fork_in_child(owner: Forked) -> None:
    """Calls the object's `after_fork` in every child, as long as the object lives."""
    _registered.add(owner)


def _tell_all() -> None:
    for owner in list(_registered):
        owner.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_tell_all)
