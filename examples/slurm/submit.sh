#!/usr/bin/env bash
# What a user types on the login node: loads a table of parameters, one row for each task, submits the
# array, and after it the job that collects the results in circles.csv. It uses the user's own login
# (prominence login, or PROMINENCE_TOKEN); jobs get tokens of their own, so this one is kept out of
# the environment that sbatch hands to Slurm.
set -euo pipefail
here=$(dirname "$0")
# Rows are numbered from 1, as the tasks of the array are.
prominence kv load /circles/input/ "$here/parameters.csv" --replace
unset PROMINENCE_TOKEN
array=$(sbatch --parsable "$here/sweep.sh")
table=$(sbatch --parsable --dependency="afterok:$array" --kill-on-invalid-dep=yes "$here/table.sh")
echo "array $array, table $table"
