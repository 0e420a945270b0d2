"""Tasks of joblib share a counter: each stores a result, and learns how many are done.

The store travels to the processes of joblib by its address and by the place of its token, without the token itself.
"""

from joblib import Parallel, delayed
from prominence_kv import Store

TASKS = 400


def task(kv: Store, number: int) -> int:
    done = kv.batch().set(f"/joblib/out/{number}", number * number).add("/joblib/done").commit()
    return int(done.results[1]["value"])


if __name__ == "__main__":
    kv = Store()
    counts = Parallel(n_jobs=4)(delayed(task)(kv, number) for number in range(TASKS))
    print(sorted(counts) == list(range(1, TASKS + 1)), int(kv["/joblib/done"]), kv.count("/joblib/out/"))
