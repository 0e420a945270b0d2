#!/bin/sh
# A job that needs the licence. The server stores its result only if the lock is still its own at that
# moment: if the job was suspended for so long that another has the licence now, nothing is stored.
set -eu
echo "job $1 has the licence"
result=$(($1 * $1))
curl --silent --show-error --fail --output /dev/null \
    -H "Authorization: Bearer $PROMINENCE_TOKEN" "$PROMINENCE_URL/kv" --json '{
    "if": [{"key": "'"$PROMINENCE_LOCK_KEY"'", "value": "'"$PROMINENCE_LOCK_VALUE"'"}],
    "do": [{"set": "/solved/'"$1"'", "value": "{\"result\": '"$result"'}"}]}'
echo "job $1 gives it back"
