"""Claims and locks: renewed, lost, given back, by many processes of which some are killed."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import TYPE_CHECKING, Any

from support import ServerCase, both

import prominence_kv
from prominence_kv import Conflict, LostHold, NothingToClaim, TimedOut

if TYPE_CHECKING:
    Base = ServerCase
else:
    Base = object

WORKER = """
import os, time
from prominence_kv import LostHold, Store

kv = Store()
for work in kv.claims("/todo/", for_="3s", wait="6s"):
    try:
        with work:
            # From when until when it is held, by the one clock of this machine.
            began = time.monotonic()
            time.sleep(0.1)
            ended = time.monotonic()
            work.check()
            kv["/held/%s/%s-%s" % (work.name, os.getpid(), work.attempt)] = [began, ended]
    except LostHold:
        pass
    print(work, flush=True)
"""

LOCKER = """
import sys
from prominence_kv import Conflict, LostHold, Store

kv = Store()
try:
    with kv.lock("/lock", ttl="2s") as lock:
        print("held", flush=True)
        sys.stdin.readline()
        print(lock.lost, flush=True)
        try:
            kv.batch(require=[lock]).set("/result", "stale").commit()
        except Conflict:
            print("refused", flush=True)
except LostHold:
    print("lost", flush=True)
"""


class Claims(Base):
    kv: Any

    def test_work_is_claimed_renewed_and_done(self) -> None:
        self.kv["/todo/a"] = {"n": 3}
        with self.kv.claim("/todo/", for_="6s") as work:
            self.assertEqual((work.key, work.name, work.json(), work.attempt), ("/todo/a", "a", {"n": 3}, 1))
            first = work.revision
            time.sleep(7)
            self.assertFalse(work.lost)
            self.assertGreater(work.revision, first)
            with self.assertRaises(NothingToClaim), self.kv.claim("/todo/", for_="3s"):
                self.fail("it is held")
        self.assertEqual(self.kv.count("/todo/"), 0)

    def test_a_block_that_throws_gives_the_work_back(self) -> None:
        self.kv["/todo/a"] = ""
        with self.assertRaises(ZeroDivisionError), self.kv.claim("/todo/", for_="1m"):
            _ = 1 / 0
        with self.kv.claim("/todo/", for_="1m") as again:
            self.assertEqual(again.attempt, 2)
            again.release()
        with self.kv.claim("/todo/", for_="1m") as again:
            again.move("/failed/")
        self.assertEqual([str(key) for key in self.kv.keys("/")], ["/failed/a"])

    def test_a_claim_that_another_ends_is_lost(self) -> None:
        self.kv["/todo/a"] = ""
        with self.assertRaises(LostHold), self.kv.claim("/todo/", for_="2s") as work:
            self.kv["/todo/a"] = "anew"
            ends = time.monotonic() + 30
            while not work.lost and time.monotonic() < ends:
                time.sleep(0.05)
            with self.assertRaises(LostHold):
                work.check()
        self.assertEqual(self.kv["/todo/a"], b"anew")

    def test_work_is_waited_for_and_not_for_ever(self) -> None:
        began = time.monotonic()
        with self.assertRaises(TimedOut), self.kv.claim("/todo/", for_="5s", wait=2):
            self.fail("there is none")
        self.assertGreaterEqual(time.monotonic() - began, 2)
        for name in ("a", "b", "c"):
            self.kv[f"/todo/{name}"] = ""
        done = []
        for work in self.kv.claims("/todo/", for_="1m"):
            with work:
                done.append(work.name)
        self.assertEqual(done, ["a", "b", "c"])


class Locks(Base):
    kv: Any

    def test_a_lock_has_one_holder_whose_batches_alone_count(self) -> None:
        other = self.store()
        with self.kv.lock("/lock", ttl="6s") as lock:
            with self.assertRaises(TimedOut) as caught, other.lock("/lock", wait=0):
                self.fail("it is held")
            self.assertIn(lock.holder, str(caught.exception))
            time.sleep(7)
            self.assertFalse(lock.lost)
            self.kv.batch(require=[lock]).set("/result", 42).commit()
        self.assertNotIn("/lock", self.kv)
        with other.lock("/lock", wait="10s") as later:
            self.assertGreater(later.revision, 0)
        self.assertEqual(int(self.kv["/result"]), 42)

    def test_a_lock_that_another_breaks_is_lost(self) -> None:
        with self.assertRaises(LostHold), self.kv.lock("/lock", ttl="2s") as lock:
            self.kv.delete("/lock")
            with self.assertRaises(Conflict):
                self.kv.batch(require=[lock]).set("/result", 1).commit()
        self.assertNotIn("/result", self.kv)

    def test_the_command_line_takes_the_same_locks(self) -> None:
        with self.kv.lock("/lock", ttl="1m"):
            process = self.script(
                "import subprocess, os, sys; sys.exit(subprocess.call([os.environ['PROMINENCE_TEST_PROGRAM'], 'kv', "
                "'lock', '/lock', '--no-wait', '--', 'true'], stderr=subprocess.DEVNULL))"
            )
            self.assertEqual(process.wait(), 1)


class Processes(ServerCase):
    def test_twenty_workers_of_which_five_are_killed_do_everything_and_never_two_at_once(self) -> None:
        names = [f"{number:03d}" for number in range(100)]
        for name in names:
            self.kv[f"/todo/{name}"] = name
        workers = [self.script(WORKER) for _ in range(20)]
        for victim in workers[:5]:
            assert victim.stdout is not None
            victim.stdout.readline()
            victim.send_signal(signal.SIGKILL)
        for worker in workers[5:]:
            self.assertEqual(worker.wait(120), 0)
        self.assertEqual(self.kv.count("/todo/"), 0)
        times: dict[str, list[list[float]]] = {name: [] for name in names}
        for key, value in self.kv.items("/held/"):
            times[key.parent[len("/held/") :]].append(json.loads(value))
        for name, held in times.items():
            self.assertTrue(held, f"{name} was done")
            held.sort()
            for (_, ended), (began, _) in zip(held, held[1:]):
                self.assertLessEqual(ended, began, f"{name} was held twice at once")

    def test_a_lock_of_a_stopped_process_passes_on_and_its_late_batch_is_refused(self) -> None:
        process = self.script(LOCKER)
        assert process.stdin is not None and process.stdout is not None
        self.assertEqual(process.stdout.readline(), "held\n")
        process.send_signal(signal.SIGSTOP)
        with self.kv.lock("/lock", ttl="1m", wait="30s") as lock:
            self.kv.batch(require=[lock]).set("/result", "fresh").commit()
            process.send_signal(signal.SIGCONT)
            process.stdin.write("\n")
            process.stdin.flush()
            self.assertEqual(process.stdout.read(), "True\nrefused\nlost\n")
        self.assertEqual(self.kv["/result"], b"fresh")

    def test_a_child_has_no_part_in_the_claims_of_its_parent(self) -> None:
        self.kv["/todo/a"] = ""
        with self.kv.claim("/todo/", for_="1m") as work:
            child = os.fork()
            if child == 0:
                work.__exit__(None, None, None)
                os._exit(0)
            os.waitpid(child, 0)
            self.assertEqual(self.kv.count("/todo/"), 1)
            self.assertFalse(work.lost)
        self.assertEqual(self.kv.count("/todo/"), 0)
        with self.assertRaises(prominence_kv.NoSuchKey):
            del self.kv["/todo/a"]


both(Claims)(globals())
both(Locks)(globals())
