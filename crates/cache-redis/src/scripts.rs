//! What the server does in one atomic step.
//!
//! Each script that writes ends with a read of its key: the server then tells this connection of the next change by
//! somebody else, but not of this one.

use redis::Script;

/// The scripts, each with its hash.
#[derive(Debug)]
pub(crate) struct Scripts {
    pub(crate) put_over: Script,
    pub(crate) claim: Script,
    pub(crate) remove_version: Script,
    pub(crate) remove_bytes: Script,
    pub(crate) begin_marks: Script,
    pub(crate) bump_mark: Script,
}

impl Scripts {
    pub(crate) fn new() -> Self {
        Self {
            put_over: Script::new(PUT_OVER),
            claim: Script::new(CLAIM),
            remove_version: Script::new(REMOVE_VERSION),
            remove_bytes: Script::new(REMOVE_BYTES),
            begin_marks: Script::new(BEGIN_MARKS),
            bump_mark: Script::new(BUMP_MARK),
        }
    }
}

/// Value, milliseconds, the version that must be there. Answers 1 if stored.
const PUT_OVER: &str = "
local stored = 0
if redis.call('GETRANGE', KEYS[1], 0, #ARGV[3] - 1) == ARGV[3] then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  stored = 1
end
redis.call('PTTL', KEYS[1])
return stored
";

/// Lease, milliseconds, the version that may be replaced (or nothing), the first bytes of every lease, the longest
/// value to answer with. Answers `OK` if granted, the milliseconds left of somebody else's lease, or what is there as
/// its milliseconds and its bytes (a longer value as its milliseconds alone).
const CLAIM: &str = "
local left = redis.call('PTTL', KEYS[1])
local version = ''
if left ~= -2 then
  version = redis.call('GETRANGE', KEYS[1], 0, 19)
end
if left == -2 or (ARGV[3] ~= '' and version == ARGV[3]) then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  redis.call('PTTL', KEYS[1])
  return redis.status_reply('OK')
end
if #version == 20 and string.sub(version, 1, #ARGV[4]) == ARGV[4] then
  return left
end
if redis.call('STRLEN', KEYS[1]) > tonumber(ARGV[5]) then
  return {left}
end
return {left, redis.call('GET', KEYS[1])}
";

/// The version that must be there. Answers 1 if removed.
const REMOVE_VERSION: &str = "
if redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
";

/// The bytes that must be there. Answers 1 if removed.
const REMOVE_BYTES: &str = "
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
";

/// A new nonce, and the nonce that it replaces: 0 if there is none. Answers nothing of interest.
const BEGIN_MARKS: &str = "
local now = redis.call('ZSCORE', KEYS[1], 'n')
if not now or tonumber(now) == tonumber(ARGV[2]) then
  redis.call('ZADD', KEYS[1], ARGV[1], 'n')
  redis.call('ZADD', KEYS[1], 'NX', 0, 's')
end
return redis.call('PTTL', KEYS[1])
";

/// The mark, a nonce for a namespace that has none, the most marks to keep, how many to drop when there are more.
/// Answers the nonce and the sequence. Dropped marks become a `clear` at the position of the latest of them, which
/// voids what they voided, and more.
const BUMP_MARK: &str = "
redis.call('ZADD', KEYS[1], 'NX', ARGV[2], 'n')
local seq = redis.call('ZINCRBY', KEYS[1], 1, 's')
redis.call('ZADD', KEYS[1], seq, ARGV[1])
if redis.call('ZCARD', KEYS[1]) > tonumber(ARGV[3]) then
  local last = tonumber(ARGV[4]) - 1
  local dropped = redis.call('ZRANGE', KEYS[1], last, last, 'WITHSCORES')[2]
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', dropped)
  redis.call('ZADD', KEYS[1], 'GT', dropped, 'c')
end
return redis.call('ZMSCORE', KEYS[1], 'n', 's')
";
