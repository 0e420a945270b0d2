#!/usr/bin/env bash
# One job of the sweep over a table: reads the row called $1, and writes its result as a row.
set -euo pipefail

row=$(prominence kv get "/boxes/input/$1")
result=$(python3 - "$row" <<'PYTHON'
import json, sys
box = json.loads(sys.argv[1])
volume = round(box["width"] * box["depth"] * box["height"], 6)
print(json.dumps({"name": box["name"], "volume": volume}))
PYTHON
)
prominence kv set "/boxes/output/$1" --string "$result"
