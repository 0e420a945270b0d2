"""Measures the Python library: the time of its import, and of gets one after another over one connection.

    library.py URL TOKEN SECONDS

Beside the gets of the library, in turn with them, the same of the standard library's HTTP client alone.
"""

import http.client
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

# Of an import, which takes a process of its own.
IMPORTS = 50
# Gets of one kind before those of the other.
TURN = 100

SOURCE = Path(__file__).parents[1] / "python" / "src"

TIME_IMPORT = """
import sys, time
sys.path.insert(0, sys.argv[1])
before = time.perf_counter()
import prominence_kv
print(time.perf_counter() - before)
"""


def imports() -> list[float]:
    command = [sys.executable, "-c", TIME_IMPORT, str(SOURCE)]
    # The first one may have to compile.
    runs = [subprocess.run(command, check=True, capture_output=True, text=True).stdout for _ in range(IMPORTS + 1)]
    return [float(run) for run in runs[1:]]


def show(name: str, times: list[float]) -> None:
    times = sorted(times)
    print(f"{name} {times[len(times) // 2] * 1000:.3f}")
    print(f"{name}, p99 {times[len(times) * 99 // 100] * 1000:.3f}")


def main(url: str, token: str, seconds: float) -> None:
    sys.path.insert(0, str(SOURCE))
    from prominence_kv import Store

    kv = Store(url.removesuffix("/kv"), token)
    parts = urlsplit(url)
    bare = http.client.HTTPConnection(parts.hostname, parts.port)
    headers = {"Authorization": f"Bearer {token}"}

    def get_bare() -> bytes:
        bare.request("GET", parts.path + "/hot", headers=headers)
        return bare.getresponse().read()

    gets: dict = {"get": (lambda: kv["/hot"], []), "bare get": (get_bare, [])}
    started = time.monotonic()
    while time.monotonic() < started + seconds:
        for get, times in gets.values():
            for _ in range(TURN):
                before = time.perf_counter()
                get()
                times.append(time.perf_counter() - before)
    show("import", imports())
    for name, (_, times) in gets.items():
        show(name, times)


main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
