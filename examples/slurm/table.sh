#!/usr/bin/env bash
#SBATCH --job-name=circles-table
#SBATCH --ntasks=1
#SBATCH --time=5
#SBATCH --output=circles-table.log
# Runs when every task of the array has succeeded, and puts their rows into one table.
set -euo pipefail
prominence kv gather /circles/output/ --output circles.csv
rm -f "$PROMINENCE_TOKEN_FILE"
