"""Writes docs/python-reference.md from the descriptions in the library: `python tools/reference.py > FILE`."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import prominence_kv
from prominence_kv import errors

CLASSES = ["Store", "Value", "Key", "Info", "Written", "Listing", "Change", "Watch", "Claim", "Lock", "Batch", "Done"]
"""The classes of the page, in its order; exceptions follow."""

OPERATORS = {
    "__getitem__": "store[key]",
    "__setitem__": "store[key] = value",
    "__delitem__": "del store[key]",
    "__contains__": "key in store",
    "__iter__": "for key in store",
    "__truediv__": "store / folder",
}
"""Methods that are used as operators."""

HEAD = """# The Python library: reference

This page is made from the library's own descriptions; [python.md](python.md) is the introduction. The examples are run
by this project's tests.

Durations are text such as `"90s"`, `"15m"`, `"12h"`, `"7d"` and `"1h30m"`, a number of seconds, or a `timedelta`.
`prominence_kv.aio.Store` has the methods of `Store`, awaited: `await kv.get(key)` and `await kv.set(key, value)`
instead of brackets, `async for` over listings and watches, `async with` for claims and locks.
"""


def page() -> Iterator[str]:
    """The lines of the page."""
    yield HEAD
    for name in CLASSES:
        yield from described_class(getattr(prominence_kv, name))
    yield from described_optuna()
    yield "## Exceptions\n"
    for kind in vars(errors).values():
        if inspect.isclass(kind) and issubclass(kind, errors.StoreError):
            bases = ", ".join(base.__name__ for base in kind.__bases__)
            yield f"- **`{kind.__name__}`** (`{bases}`): {flowing(inspect.getdoc(kind) or '')}"
    yield ""


def described_class(kind: type) -> Iterator[str]:
    """A class, its fields and its methods."""
    yield f"## {kind.__name__}\n"
    yield from paragraphs(inspect.getdoc(kind) or "")
    if kind is prominence_kv.Store:
        yield f"### Store{parameters(kind.__init__)}\n"
        yield from paragraphs(inspect.getdoc(kind.__init__) or "")
    if dataclasses.is_dataclass(kind):
        fields = ", ".join(f"`{field.name}`" for field in dataclasses.fields(kind))
        yield f"Fields: {fields}.\n"
    for name, member in members(kind):
        if isinstance(member, property):
            yield f"- **`{name}`**: {flowing(inspect.getdoc(member) or '')}"
    yield ""
    for name, member in members(kind):
        if inspect.isfunction(member):
            title = OPERATORS.get(name) or f"{name}{parameters(member)}"
            yield f"### {title}\n"
            yield from paragraphs(inspect.getdoc(member) or "")


def described_optuna() -> Iterator[str]:
    """The module for Optuna, which is read as text, since the package may not be there."""
    source = (Path(prominence_kv.__file__).parent / "optuna.py").read_text(encoding="utf-8")
    yield "## prominence_kv.optuna.storage(store)\n"
    yield from paragraphs(inspect.cleandoc(source.split('"""')[1]))


def members(kind: type) -> Iterator[tuple[str, Any]]:
    """The public methods and properties of a class and of those parts that it is made of, in their order."""
    seen = set()
    # The store's own part has what comes last.
    parts = [*kind.__mro__[1:], kind] if kind is prominence_kv.Store else kind.__mro__
    for part in parts:
        if not part.__module__.startswith("prominence_kv"):
            continue
        for name, member in vars(part).items():
            is_public = not name.startswith("_") or (name in OPERATORS and kind is prominence_kv.Store)
            described = inspect.isfunction(member) or isinstance(member, property)
            if is_public and described and name not in seen and name != "set_debuglevel":
                seen.add(name)
                yield name, member


def parameters(function: Any) -> str:
    """The parameters of a function, without their types."""
    shown = []
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and "*" not in shown:
            shown.append("*")
        default = "" if parameter.default is inspect.Parameter.empty else f"={parameter.default!r}"
        shown.append(parameter.name + default)
    return f"({', '.join(shown)})"


def paragraphs(text: str) -> Iterator[str]:
    """A description with its examples as blocks of code."""
    code = False
    for line in [*text.splitlines(), ""]:
        begins = line.startswith((">>>", "    ")) and not code
        if begins:
            yield "```python"
            code = True
        elif code and not line:
            yield "```"
            code = False
        yield line


def flowing(text: str) -> str:
    """A description as one line."""
    return " ".join(text.split())


def written() -> str:
    """The whole page, without empty lines in a row."""
    lines: list[str] = []
    for line in "\n".join(page()).split("\n"):
        if line or (lines and lines[-1]):
            lines.append(line.rstrip())
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    sys.stdout.write(written())
