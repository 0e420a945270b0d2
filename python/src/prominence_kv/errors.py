"""What can go wrong, as what a caller can do about it.

Every exception has the server's sentence, its code, and the id under which the request is in the server's log.
None of them ever has the token.
"""

from __future__ import annotations

from typing import Any, Optional


class StoreError(Exception):
    """Why a request was not done. All exceptions of this library are of this class."""

    def __init__(
        self,
        message: str,
        *,
        code: Optional[str] = None,
        status: Optional[int] = None,
        request_id: Optional[str] = None,
        may_have_happened: bool = False,
        key: Optional[str] = None,
        revision: Optional[int] = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        """The sentence for a person."""
        self.code = code
        """What programs tell errors apart by (docs/http.md); `None` where no answer came."""
        self.status = status
        """The HTTP status; `None` where no answer came."""
        self.request_id = request_id
        """The id of the request in the server's log."""
        self.may_have_happened = may_have_happened
        """Whether a change that was asked for may have happened all the same."""
        self.key = key
        """The key of the condition that did not hold."""
        self.revision = revision
        """The revision that this key has; `None` where it does not exist."""

    def __str__(self) -> str:
        # Of a refusal that the caller can mend, nobody has to look into the log.
        if self.request_id is None or (self.status is not None and self.status < 500):
            return self.message
        return f"{self.message} (request {self.request_id})"

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions travel between processes, as those of multiprocessing and joblib do.
        fields = {
            name: getattr(self, name)
            for name in ("code", "status", "request_id", "may_have_happened", "key", "revision")
        }
        return _restore, (type(self), self.message, fields)


def _restore(kind: type[StoreError], message: str, fields: dict[str, Any]) -> StoreError:
    return kind(message, **fields)


class NoSuchKey(StoreError, KeyError):
    """The key does not exist."""


class Conflict(StoreError):
    """A condition did not hold; nothing was changed. `key` and `revision` say how it is."""


class NotANumber(StoreError, ValueError):
    """An addition to what is no integer of 64 bits, or an overflow; nothing was changed."""


class TooLarge(StoreError, ValueError):
    """The value has more bytes than the server takes."""


class BadRequest(StoreError, ValueError):
    """The request itself is wrong, such as a key that can't be one."""


class QuotaExceeded(StoreError):
    """The namespace is full."""


class Forbidden(StoreError, PermissionError):
    """The token does not cover this."""


class SignedOut(StoreError):
    """There is no token, or it has expired or is not accepted."""


class Unavailable(StoreError, ConnectionError):
    """No answer came, or the server can't answer now, for as long as was tried."""

    _lasting = False
    """Whether another try can't help."""
    _cut = False
    """Whether a connection that stood was lost before the answer."""


class RateLimited(Unavailable):
    """The server was asked too often, for as long as was tried."""


class ForeignAnswer(Unavailable):
    """A proxy in front of the server, or another server at its address, has answered."""


class ServerError(StoreError):
    """Any other refusal: a bug or damage on the server's side, or what this server can't do."""


class Gone(StoreError):
    """A watch asks for changes that the server no longer keeps. `revision` is the oldest one to watch from."""


class TimedOut(StoreError, TimeoutError):
    """The time of a wait is over."""


class NothingToClaim(StoreError, LookupError):
    """No key is free to be claimed."""


class LostHold(StoreError):
    """A claim or a lock ran out, or its key was set or deleted, before its end."""


class SettingsError(StoreError, ValueError):
    """A setting can't be used: the address, the token's file, a profile, a proxy or a certificate file."""
