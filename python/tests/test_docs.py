"""The examples of the documents and of the library's own descriptions do what stands behind them."""

from __future__ import annotations

import contextlib
import doctest
import importlib
import io
import os
import pkgutil
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from support import ROOT, ServerCase

import prominence_kv

FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A block of code, and what it has to print."""

    line: int
    kind: str
    code: str
    printed: str


def blocks(text: str) -> list[Block]:
    """The blocks of a page, each with the block `text` that follows it."""
    found: list[Block] = []
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 2
        if match[1] == "text":
            last = found.pop()
            found.append(last._replace(printed=match[2]))
        else:
            found.append(Block(line, match[1], match[2], ""))
    return found


def pattern(expected: str) -> str:
    """A text in which `…` stands for anything on its line, such as times."""
    return ".*".join(re.escape(part) for part in expected.split("…"))


class Documents(ServerCase):
    maxDiff = None

    def setUp(self) -> None:
        super().setUp()
        given = mock.patch.dict(os.environ, self.server.environment(self.user))
        given.start()
        self.addCleanup(given.stop)

    def assert_printed(self, block: Block, printed: str) -> None:
        if re.fullmatch(pattern(block.printed), printed) is None:
            self.assertEqual(printed, block.printed, f"the block in line {block.line}")

    def test_every_example_of_the_page_prints_what_follows_it(self) -> None:
        page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
        names: dict[str, object] = {"__name__": "__main__"}
        run = 0
        for block in blocks(page):
            if block.kind != "python":
                self.assertRegex(block.kind, "^sh,not-run=", f"line {block.line}")
                continue
            printed = io.StringIO()
            code = compile("\n" * (block.line - 1) + block.code, "docs/python.md", "exec")
            with contextlib.redirect_stdout(printed):
                exec(code, names)
            self.assert_printed(block, printed.getvalue())
            run += 1
        self.assertGreater(run, 10)

    def test_the_packages_own_page_runs(self) -> None:
        page = (ROOT / "python" / "README.md").read_text(encoding="utf-8")
        kv = prominence_kv.Store()
        for number in range(100):
            kv[f"/done/{number}"] = ""
        kv["/todo/a"] = 20
        kv["/sweep/out/1"] = 1
        names: dict[str, object] = {"solve": lambda work: work + 1}
        for block in blocks(page):
            exec(compile(block.code, "python/README.md", "exec"), names)
        self.assertEqual((int(kv["/out/a"]), int(kv["/result"]), int(kv["/done"])), (21, 42, 1))

    def test_the_examples_of_descriptions_are_right(self) -> None:
        tried = 0
        for module in pkgutil.walk_packages(prominence_kv.__path__, "prominence_kv."):
            if module.name.endswith((".optuna", ".aio")) or "._async" in module.name:
                # They have the descriptions of the blocking store, or text alone.
                continue
            loaded = importlib.import_module(module.name)
            for test in doctest.DocTestFinder(exclude_empty=True).find(loaded, module.name):
                if not test.examples:
                    continue
                self.user += "x"
                test.globs.update(vars(prominence_kv), kv=self.store(), **vars(loaded))
                said = io.StringIO()
                flags = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
                doctest.DocTestRunner(verbose=False, optionflags=flags).run(test, out=said.write)
                self.assertEqual(said.getvalue(), "", test.name)
                tried += 1
        self.assertGreater(tried, 10)

    def test_the_reference_is_that_of_the_library(self) -> None:
        made = subprocess.run(
            [sys.executable, str(ROOT / "python" / "tools" / "reference.py")],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        kept = (ROOT / "docs" / "python-reference.md").read_text(encoding="utf-8")
        self.assertEqual(made.stdout, kept, "python python/tools/reference.py > docs/python-reference.md")

    def test_the_page_for_r_runs_in_r(self) -> None:
        page = (ROOT / "docs" / "r.md").read_text(encoding="utf-8")
        between = "----"
        found = [block for block in blocks(page) if block.kind == "r"]
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder) / "page.R"
            ends = f'\ncat("{between}\\n")\n'
            script.write_text(ends.join(block.code for block in found), encoding="utf-8")
            ran = self._rscript(str(script))
        printed = ran.split(f"{between}\n")
        self.assertEqual(len(printed), len(found), ran)
        for block, said in zip(found, printed):
            self.assert_printed(block, said)
        self.assertGreater(len(found), 5)

    def _rscript(self, script: str) -> str:
        ran = subprocess.run(
            ["Rscript", "--vanilla", script],
            capture_output=True,
            text=True,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
        self.assertEqual(ran.returncode, 0, ran.stderr)
        return ran.stdout

    def test_pages_that_nobody_has_tried_say_so(self) -> None:
        for name in ("julia", "matlab"):
            page = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
            self.assertIn("They have not been tried", page.replace("\n", " "))
