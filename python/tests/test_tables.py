"""Tables: rows as the command line stores and gathers them."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from typing import TYPE_CHECKING, Any

from support import ServerCase, both

if TYPE_CHECKING:
    Base = ServerCase
else:
    Base = object

ROWS = [
    {"seed": 1, "rate": 0.5, "name": "007", "on": True},
    {"seed": 2, "rate": 1e-05, "name": "", "on": False},
    {"seed": 3, "rate": -2.25, "name": 'say "hi", é🦀', "on": True},
]


class Tables(Base):
    kv: Any

    def test_rows_are_loaded_as_the_command_line_loads_them(self) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(ROWS[0]))
        writer.writeheader()
        writer.writerows({**row, "on": str(row["on"]).lower()} for row in ROWS)
        for folder, options, named in (
            ("a", [], {}),
            ("b", ["--start", "99", "--pad"], {"start": 99, "pad": True}),
            ("c", ["--key", "seed"], {"key": "seed"}),
        ):
            self.server.command(
                self.user, "kv", "load", f"/cli/{folder}/", "-", "--quiet", *options, text=text.getvalue()
            )
            loaded = self.kv.load(f"/py/{folder}", ROWS, **named)
            self.assertEqual((loaded.rows, loaded.stored, loaded.existing), (3, 3, 0))
            of_command = {key[len("/cli") :]: value.json() for key, value in self.kv.items(f"/cli/{folder}/")}
            ours = {key[len("/py") :]: value.json() for key, value in self.kv.items(f"/py/{folder}/")}
            self.assertEqual(ours, of_command)
            self.assertEqual(len(ours), 3)
        # Where the text is the same, so are the bytes.
        self.assertEqual(self.kv["/py/a/1"], self.kv["/cli/a/1"])

    def test_many_rows_take_few_requests_and_existing_keys_can_be_left_alone(self) -> None:
        rows = [{"n": number, "text": '"' * 8_000} for number in range(250)]
        self.kv["/in/7"] = "kept"
        loaded = self.kv.load("/in", rows, if_absent=True, ttl="1h")
        self.assertEqual((loaded.rows, loaded.stored, loaded.existing), (250, 249, 1))
        self.assertEqual(self.kv["/in/7"], b"kept")
        self.assertEqual(self.kv["/in/250"].json(), rows[249])
        self.assertIsNotNone(self.kv["/in/250"].expires)
        with self.assertRaises(ValueError):
            self.kv.load("/in", [{"k": 1}, {"k": 1}], key="k")

    def test_rows_of_an_earlier_table_are_replaced_as_the_command_line_replaces_them(self) -> None:
        earlier = [{"name": f"run{number}", "n": number} for number in range(205)]
        for options, named in (([], {}), (["--key", "name"], {"key": "name"})):
            for folder in ("/cli", "/py"):
                self.kv.load(folder, earlier, **named)
                for beside in ("note", "7/log", "a/b/c"):
                    self.kv[f"{folder}/{beside}"] = "kept"
            self.server.command(
                self.user, "kv", "load", "/cli/", "-", "--quiet", "--replace", *options, text="name,n\nrun1,5\nnew,6\n"
            )
            loaded = self.kv.load("/py", [{"name": "run1", "n": 5}, {"name": "new", "n": 6}], replace=True, **named)
            # Of 205 numbers, 1 and 2 are rows of the new table. Of 205 names one is, and `note`, `1` and `2` are as
            # deep as a row.
            self.assertEqual((loaded.stored, loaded.removed), (2, 207 if named else 203))
            of_command = {key[len("/cli") :]: bytes(value) for key, value in self.kv.items("/cli/")}
            self.assertEqual({key[len("/py") :]: bytes(value) for key, value in self.kv.items("/py/")}, of_command)
            self.assertEqual(len(of_command), 4 if named else 5)
        with self.assertRaises(ValueError):
            self.kv.load("/py", [], replace=True)
        self.assertEqual(self.kv.count("/py/"), 4)

    def test_rows_are_gathered_as_the_command_line_gathers_them(self) -> None:
        self.kv.load("/in", [{"key": 1, "loss": 0.5}, {"x": [1, 2]}, {"loss": 3}])
        self.kv["/in/other"] = "text"
        for name, value in {
            "1": {"loss": 1, "key": "mine", "who": "a"},
            "2": {"loss": None, "deep": {"b": [1]}},
            "3": "no object",
            "4": b"\xff\xfe\xfd",
            "5": '\ufeff{"loss":5}',
            "other": {},
        }.items():
            self.kv[f"/out/{name}"] = value
        for arguments, named in (
            (["/out/"], {}),
            (["/out/", "--bare"], {"bare": True}),
            (["/out/", "--join", "/in/"], {"join": "/in"}),
            (["/out", "--join", "/in", "--bare"], {"join": "/in/", "bare": True}),
        ):
            printed = self.server.command(self.user, "kv", "gather", "--quiet", *arguments)
            of_command = list(csv.DictReader(io.StringIO(printed)))
            ours = self.kv.table(arguments[0], **named)
            names = list(of_command[0])
            self.assertEqual({name for row in ours for name in row}, set(names), arguments)
            as_text = [{name: _cell(row.get(name)) for name in names} for row in ours]
            self.assertEqual(as_text, of_command, arguments)

    def test_inputs_without_a_result_are_those_of_the_command_line(self) -> None:
        for key in ("/in/1", "/in/2", "/in/a/b", "/in/10", "/out/1", "/out/10/log", "/out/ab"):
            self.kv[key] = ""
        ours = self.kv.missing("/in", "/out")
        ran = subprocess.run(
            [self.server_program(), "kv", "missing", "/in/", "/out/", "--names"],
            stdout=subprocess.PIPE,
            text=True,
            env=self.server.environment(self.user),
        )
        self.assertEqual((ours, ran.returncode), (ran.stdout.split(), 1))
        self.assertEqual(ours, ["2", "a/b"])

    def server_program(self) -> str:
        from support import PROGRAM

        return PROGRAM

    def test_tables_of_other_libraries_are_taken(self) -> None:
        class Frame:
            def to_dict(self, orient: str) -> list[dict[str, Any]]:
                assert orient == "records"
                return [{"a": 1}]

        self.assertEqual(self.kv.load("/in", Frame()).stored, 1)
        self.assertEqual(self.kv["/in/1"].json(), {"a": 1})
        for no_rows in ({"a": 1}, "text", 7):
            with self.assertRaises(TypeError):
                self.kv.load("/in", no_rows)


def _cell(value: Any) -> str:
    """A cell as the command line writes it."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


both(Tables)(globals())
