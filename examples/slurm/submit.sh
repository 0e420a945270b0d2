#!/usr/bin/env bash
# What a user types on the login node: loads a table of parameters, one row for each task, submits the
# array, and after it the job that collects the results in circles.csv. It uses the user's own login
# (prominence login, or PROMINENCE_TOKEN). The jobs get a token for their keys alone, in a file that
# only the user can read: Slurm keeps a job's environment where administrators see it.
set -euo pipefail
here=$(dirname "$0")
# Rows are numbered from 1, as the tasks of the array are.
prominence kv load /circles/input/ "$here/parameters.csv" --replace

umask 077
token=$PWD/circles.token
prominence token create --from-login --for 12h --note "circles" \
    --scope storage.read:/circles/ --scope storage.modify:/circles/ > "$token"
unset PROMINENCE_TOKEN
export PROMINENCE_TOKEN_FILE=$token

array=$(sbatch --parsable "$here/sweep.sh")
table=$(sbatch --parsable --dependency="afterok:$array" --kill-on-invalid-dep=yes "$here/table.sh")
echo "array $array, table $table"
