"""Asks Redis for some seconds with redis-benchmark, which counts requests and not time.

    redis.py PORT SECONDS VALUE_BYTES -t get|set OPTION ...
"""

import csv
import subprocess
import sys

# Requests from which the rate is guessed.
TRIAL = 10_000

port, seconds, value_bytes, *options = sys.argv[1:]


def ask(requests: int, *options: str) -> dict[str, str]:
    command = ["redis-benchmark", "-p", port, "-d", value_bytes, "-n", str(requests), "--csv", *options]
    report = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return next(csv.DictReader(report.splitlines()))


# The key that gets ask for.
ask(1, "-t", "set", "-c", "1")
rate = float(ask(TRIAL, *options)["rps"])
figures = ask(max(int(rate * float(seconds)), TRIAL), *options)
# It counts errors as answers, so the server is asked whether it gave any.
errors = ["redis-cli", "-p", port, "info", "errorstats"]
errors = subprocess.run(errors, check=True, capture_output=True, text=True).stdout
if "errorstat_" in errors:
    sys.exit(f"Redis answered errors: {errors}")
for name, column in [("rate", "rps"), ("median", "p50_latency_ms"), ("p99", "p99_latency_ms")]:
    print(name, figures[column])
