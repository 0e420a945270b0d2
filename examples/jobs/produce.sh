#!/bin/sh
# Writes a value that another job waits for. It is gone after an hour, read or not.
set -eu
prominence kv set --ttl 1h /pass/message --string "42 widgets"
