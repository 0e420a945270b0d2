#!/bin/sh
# One row of the sweep with 100 workers: adds the numbers from 1 to n. The counter beside the result is
# how the sweep shows that no row was computed twice: a claimed row is nobody else's.
set -eu
n=$PROMINENCE_FIELD_N
sum=0
for i in $(seq "$n"); do
    sum=$((sum + i))
done
name=${PROMINENCE_KEY##*/}
prominence kv add "/hundred/runs/$name" > /dev/null
prominence kv set "/hundred/output/$name" --string "{\"n\":$n,\"sum\":$sum}"
