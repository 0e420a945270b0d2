"""Studies of Optuna in the store: eight processes, records of all sizes, lost answers, and Optuna's own rules."""

from __future__ import annotations

import os
import pickle
import signal
from typing import Any
from unittest import mock

import optuna
from support import ServerCase

from prominence_kv import TooLarge, Unavailable
from prominence_kv.optuna import JournalBackend, storage

WORKER = """
import optuna, prominence_kv

optuna.logging.set_verbosity(optuna.logging.ERROR)
kv = prominence_kv.Store()
study = optuna.load_study(study_name="s", storage=prominence_kv.optuna.storage(kv / "optuna/s"))

def objective(trial):
    x = trial.suggest_float("x", -10, 10)
    trial.report(x, 0)
    print(trial.number, flush=True)
    return (x - 2) ** 2

study.optimize(objective, n_trials=13)
"""


class Studies(ServerCase):
    def setUp(self) -> None:
        super().setUp()
        optuna.logging.set_verbosity(optuna.logging.ERROR)

    def test_eight_processes_of_which_two_are_killed_share_a_study(self) -> None:
        study = optuna.create_study(study_name="s", storage=storage(self.kv / "optuna/s"))
        workers = [self.script(WORKER) for _ in range(8)]
        for victim in workers[:2]:
            assert victim.stdout is not None
            victim.stdout.readline()
            victim.send_signal(signal.SIGKILL)
        for worker in workers[2:]:
            self.assertEqual(worker.wait(300), 0)
        trials = study.trials
        self.assertEqual([trial.number for trial in trials], list(range(len(trials))))
        complete = [trial for trial in trials if trial.state == optuna.trial.TrialState.COMPLETE]
        self.assertGreaterEqual(len(complete), 6 * 13)
        self.assertEqual(study.best_value, min(trial.value for trial in complete if trial.value is not None))
        # Records are numbered without gaps.
        names = [int(key.name) for key in self.kv.keys("/optuna/s/log/")]
        self.assertEqual(names, list(range(len(names))))

    def test_records_of_every_size_come_back(self) -> None:
        study = optuna.create_study(study_name="s", storage=storage(self.kv / "s"))
        for size in (10, 14_900, 15_100, 17_000, 100_000):
            study.set_user_attr(f"of {size}", 'ü"\\' * (size // 3))
        again = optuna.load_study(study_name="s", storage=storage(self.kv / "s"))
        self.assertEqual(again.user_attrs, study.user_attrs)
        self.assertEqual(len(again.user_attrs["of 100000"]), 100_000 // 3 * 3)
        with self.assertRaises(TooLarge):
            study.set_user_attr("more than a batch takes", "x" * 500_000)

    def test_an_append_whose_answer_was_lost_is_done_once(self) -> None:
        backend = JournalBackend(self.kv / "s")
        backend.append_logs([{"n": 0}])
        real = type(self.kv.batch()).commit

        def lose(batch: Any) -> Any:
            real(batch)
            raise Unavailable("the answer was lost", may_have_happened=True)

        with mock.patch("prominence_kv._blocking.keys.Batch.commit", lose):
            backend.append_logs([{"n": 1}, {"n": 2}])
        backend.append_logs([{"n": 3}])
        self.assertEqual([record["n"] for record in backend.read_logs(0)], [0, 1, 2, 3])
        self.assertEqual([record["n"] for record in backend.read_logs(2)], [2, 3])

    def test_an_append_that_arrives_late_is_done_once(self) -> None:
        backend = JournalBackend(self.kv / "s")
        real = type(self.kv.batch()).commit
        under_way: list[Any] = []

        def delay(batch: Any) -> Any:
            under_way.append(batch)
            if len(under_way) == 1:
                raise Unavailable("the answer was lost", may_have_happened=True)
            real(under_way[0])
            return real(batch)

        with mock.patch("prominence_kv._blocking.keys.Batch.commit", delay):
            backend.append_logs([{"n": 0}])
        backend.append_logs([{"n": 1}])
        self.assertEqual([record["n"] for record in backend.read_logs(0)], [0, 1])

    def test_many_records_and_another_process_in_between(self) -> None:
        mine, other = JournalBackend(self.kv / "s"), JournalBackend(self.kv / "s")
        mine.append_logs([{"n": number} for number in range(250)])
        other.append_logs([{"n": 250}])
        mine.append_logs([{"n": 251}])
        self.assertEqual([record["n"] for record in other.read_logs(0)], list(range(252)))

    def test_a_storage_travels_to_other_processes(self) -> None:
        with mock.patch.dict(os.environ, self.server.environment(self.user)):
            from prominence_kv import Store

            kept = pickle.loads(pickle.dumps(storage(Store() / "s")))
            optuna.create_study(study_name="s", storage=kept)
        self.assertEqual(optuna.get_all_study_names(storage(self.kv / "s")), ["s"])

    def test_it_does_as_optunas_own_storage_in_memory_does(self) -> None:
        """The same steps at both, and the same trials after each."""

        def objective(trial: optuna.Trial) -> float:
            x = trial.suggest_float("x", 0, 1)
            kind = trial.suggest_categorical("kind", ["a", "b"])
            number = trial.suggest_int("n", 1, 8, log=True)
            trial.set_user_attr("kind", kind)
            trial.report(x, 1)
            if trial.number % 5 == 4:
                raise optuna.TrialPruned
            return x + number

        shown = []
        for kept in (storage(self.kv / "same"), optuna.storages.InMemoryStorage()):
            study = optuna.create_study(
                storage=kept, sampler=optuna.samplers.RandomSampler(seed=7), direction="maximize"
            )
            study.enqueue_trial({"x": 0.5, "kind": "b", "n": 2})
            study.optimize(objective, n_trials=12)
            study.set_user_attr("note", {"a": [1]})
            trials = [
                (t.number, t.state, t.value, t.params, t.user_attrs, t.intermediate_values, t.distributions)
                for t in study.trials
            ]
            shown.append((trials, study.user_attrs, study.best_trial.number, study.directions))
            optuna.delete_study(study_name=study.study_name, storage=kept)
            self.assertEqual(optuna.get_all_study_names(kept), [])
        self.assertEqual(shown[0], shown[1])
