"""Puts random keys of 1 KB into a key-value bucket of NATS JetStream: a peer of durable sets.

    nats_puts.py URL AT_ONCE SECONDS

So many puts are under way at any time, over one connection, as its client does it.
"""

import asyncio
import os
import random
import sys
import time

import nats
from nats.js.api import KeyValueConfig

KEYS = 1_000_000
VALUE_BYTES = 1_000


async def main(url: str, at_once: int, seconds: float) -> None:
    connection = await nats.connect(url)
    bucket = await connection.jetstream().create_key_value(KeyValueConfig(bucket="bench", history=1))
    times: list[float] = []
    started = time.monotonic()

    async def put_on() -> None:
        while (before := time.monotonic()) < started + seconds:
            key = f"k.{random.randrange(KEYS):08}"
            await bucket.put(key, os.urandom(VALUE_BYTES))
            times.append(time.monotonic() - before)

    await asyncio.gather(*(put_on() for _ in range(at_once)))
    took = time.monotonic() - started
    await connection.close()
    times.sort()
    print(f"rate {len(times) / took:.0f}")
    print(f"p99 {times[len(times) * 99 // 100] * 1000:.3f}")


asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
