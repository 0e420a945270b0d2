//! Commands of other programs, and the command lines that do the same here.
//!
//! Sources: redis-cli, etcdctl, consul kv, nats kv, aws s3, kubectl, flock, and the file commands of Unix.

/// A command that does not exist here.
pub(super) struct WordHint {
    /// The word as people type it.
    pub(super) typed: &'static [&'static str],
    /// What to write instead, without the program's name; the words after `|` are another program. Empty
    /// where no command does it.
    pub(super) write: &'static str,
    /// The effect of that; empty if it is the same under another name. If `write` is empty, the whole hint.
    pub(super) purpose: &'static str,
}

const fn hint(
    typed: &'static [&'static str],
    write: &'static str,
    purpose: &'static str,
) -> WordHint {
    WordHint {
        typed,
        write,
        purpose,
    }
}

/// The same command under another name.
const fn rename(typed: &'static [&'static str], write: &'static str) -> WordHint {
    hint(typed, write, "")
}

/// Each word stands in one row.
#[rustfmt::skip]
pub(super) const WORDS: &[WordHint] = &[
    // One key.
    rename(&["read", "fetch", "show", "print", "view", "download", "retrieve", "lookup", "hget", "getex"],
           "kv get KEY"),
    rename(&["write", "store", "upsert", "update", "replace", "change", "edit", "apply", "hset", "hmset", "lset", "getset"],
           "kv set KEY VALUE"),
    rename(&["del", "remove", "unlink", "erase", "destroy", "hdel", "getdel", "srem",
             "zrem", "lrem"], "kv delete KEY"),
    rename(&["copy", "duplicate", "clone"], "kv cp FROM TO"),
    rename(&["move", "rename", "ren", "renamenx"], "kv mv FROM TO"),
    hint(&["incr", "incrby", "inc", "increment", "counter", "incrbyfloat",
           "hincrby", "zincrby"], "kv add KEY 1",
         "add 1 to a whole number"),
    hint(&["decr", "decrby", "dec", "decrement", "sub", "subtract"], "kv add KEY -1",
         "subtract 1 from a whole number"),
    hint(&["exists", "has", "contains", "test", "hexists", "sismember"], "kv get KEY",
         "check a key; exit status 1 means that the key does not exist"),
    hint(&["stat", "describe", "meta", "metadata", "details", "object", "type", "revision"],
         "kv get --json KEY", "see all that is known about a key"),
    hint(&["ttl", "pttl", "timetolive", "expiretime"], "kv get --json KEY", "see when a key expires"),
    hint(&["expire", "expireat", "pexpire", "setex", "psetex", "lease", "grant"],
         "kv set KEY VALUE --ttl 1h", "store a value for 1 hour"),
    hint(&["persist"], "kv set KEY VALUE", "store the value again without a lifetime"),
    hint(&["setnx", "create", "insert"], "kv set KEY VALUE --if-absent",
         "store a value only if the key does not exist"),
    hint(&["cas", "swap", "compare-and-swap", "compareandset"], "kv set KEY VALUE --if-revision 7",
         "store a value only if the key still has revision 7"),
    hint(&["touch"], "kv set KEY --string ''", "store an empty value"),
    hint(&["append", "setrange"], "kv set /log/1 TEXT",
         "store each part as a key of its own; a value can only be replaced as a whole"),
    hint(&["mget", "gets"], "kv get KEY KEY", "print several values"),
    hint(&["sadd", "zadd"], "kv set /set/MEMBER VALUE", "add a member; each member of a set is a key of its own"),
    // Many keys.
    rename(&["keys", "dir", "all", "names"], "kv list"),
    hint(&["count", "len", "length", "wc", "dbsize", "llen", "hlen", "scard", "zcard", "total"],
         "kv list --count PREFIX", "count keys"),
    hint(&["find", "search", "grep", "query", "filter", "match"], "kv list PREFIX | grep TEXT",
         "find keys by a part of their names"),
    hint(&["head", "first"], "kv list --limit 10 PREFIX", "see the first 10 keys"),
    hint(&["tail", "last"], "kv list --reverse --limit 10 PREFIX", "see the last 10 keys"),
    hint(&["scan", "iterate", "page", "range", "hscan"], "kv list --after KEY --limit 100",
         "list 100 keys after KEY"),
    hint(&["values", "getall", "hgetall", "smembers", "lrange", "zrange"], "kv list --values PREFIX",
         "see keys with their values"),
    hint(&["size", "strlen"], "kv list --long PREFIX", "see the sizes of values"),
    hint(&["clear", "flush", "flushall", "flushdb", "purge", "truncate", "wipe", "reset", "empty", "drop",
           "rmdir", "rb", "rmr", "prune", "clean", "delete-all", "deleteall"],
         "kv delete --prefix PREFIX", "delete all keys that begin with PREFIX"),
    hint(&["mkdir", "mb"], "kv set /folder/key VALUE", "store a key; its folder needs no creation"),
    hint(&["txn", "tx", "transaction", "multi", "mset", "msetnx", "atomic"], "kv batch FILE",
         "do several changes in one commit"),
    hint(&["dump", "pull", "snapshot"], "kv export PREFIX DIR", "copy keys into a folder"),
    hint(&["upload", "sync"], "kv import DIR PREFIX", "copy a folder's files to keys"),
    hint(&["csv", "table", "sweep"], "kv load PREFIX FILE", "store the rows of a table"),
    hint(&["collect", "join", "merge", "results"], "kv gather PREFIX", "put values into one table"),
    hint(&["pending", "remaining", "todo"], "kv missing IN OUT",
         "list the inputs that have no result yet"),
    hint(&["du", "df", "quota", "space", "memory", "stats"], "kv usage", "see how much you store"),
    // Changes, locks and work.
    hint(&["subscribe", "psubscribe", "monitor", "follow", "observe", "listen", "events", "changes", "stream"],
         "kv watch PREFIX", "see changes as they happen"),
    hint(&["history", "log", "revisions"], "kv watch --since 0 PREFIX",
         "see the changes that the server still has"),
    hint(&["barrier", "await", "waitfor"], "kv wait PREFIX --count 10", "wait until there are 10 keys"),
    hint(&["pop", "lpop", "rpop", "blpop", "brpop", "dequeue", "take", "work", "worker", "consume", "reserve",
           "next", "receive", "ack"],
         "kv claim PREFIX -- CMD", "run a command for a key, which is deleted when the command succeeds"),
    hint(&["push", "enqueue", "lpush", "rpush", "xadd", "publish", "send", "produce"], "kv set /queue/1 VALUE",
         "add work to a queue; each piece of work is a key of its own"),
    hint(&["acquire", "mutex", "semaphore", "flock", "elect"], "kv lock KEY -- CMD",
         "hold a lock while a command runs"),
    hint(&["unlock", "release"], "kv lock KEY -- CMD",
         "hold a lock while a command runs; the lock is released when the command ends"),
    hint(&["locks", "leases", "claimed"], "kv claims", "see which keys are claimed"),
    // Around the keys.
    hint(&["ping", "health", "status", "info", "endpoint"], "whoami",
         "check the connection and the token"),
    hint(&["auth", "signin", "sign-in", "authenticate"], "login", "log in at your institution"),
    hint(&["user", "who", "id", "me"], "whoami",
         "see whose token is used: that of --token-file, PROMINENCE_TOKEN or ~/.prominence/token"),
    hint(&["signout", "sign-out"], "logout", "end your login"),
    hint(&["settings", "configure", "context", "profile", "profiles", "env"], "config",
         "see the settings and where they come from"),
    hint(&["run"], "exec -- CMD", "run a command with a fresh token"),
    rename(&["server", "start", "daemon", "listen-and-serve"], "serve"),
    hint(&["mint", "sign", "issue"], "token create --user USER", "make a token"),
    rename(&["decode", "jwt"], "token inspect TOKEN"),
    hint(&["users", "namespaces"], "admin usage", "see how much each user has stored"),
    hint(&["save", "bgsave"], "admin backup FILE", "write a backup of the server's data"),
    hint(&["verify", "fsck", "scrub", "validate"], "admin check", "look for damage in the server's data"),
    hint(&["compact", "compaction", "defrag", "vacuum", "gc"], "",
         "the server compacts its data without a command"),
    hint(&["completion", "autocomplete"], "completions bash", "print the completion script of a shell"),
    rename(&["manual", "docs"], "man"),
];
