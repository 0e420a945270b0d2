#!/usr/bin/env bash
# A parameter sweep from a table to a table: each row of boxes.csv is the input of a job, and all
# results are gathered into one table. The jobs run one after another on this machine; on a batch
# system each would be a job of its own, such as one task of an array.
set -euo pipefail
cd "$(dirname "$0")"

prominence kv load /boxes/input/ jobs/boxes.csv --key name

for key in $(prominence kv list /boxes/input/); do
    name=${key##*/}
    prominence exec --job "box-$name" -- jobs/volume.sh "$name"
done

prominence kv gather /boxes/output/ --bare
