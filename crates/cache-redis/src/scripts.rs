//! What the server does in one atomic step.
//!
//! Each script that writes ends with a read of its key: the server then tells this connection of the next change by
//! somebody else, but not of this one. Where the server does not track, the same scripts publish what they change.

use redis::{Script, ScriptInvocation, ToRedisArgs};

use crate::message::{first_position, position_key};

/// The scripts, each with its hash.
#[derive(Debug)]
pub(crate) struct Scripts {
    pub(crate) put: Step,
    pub(crate) put_over: Step,
    pub(crate) claim: Step,
    pub(crate) remove: Step,
    pub(crate) remove_version: Step,
    pub(crate) remove_bytes: Step,
    pub(crate) begin_marks: Step,
    pub(crate) bump_mark: Step,
    pub(crate) standing: Script,
}

impl Scripts {
    pub(crate) fn new() -> Self {
        Self {
            put: Step::new(PUT),
            put_over: Step::new(PUT_OVER),
            claim: Step::new(CLAIM),
            remove: Step::new(REMOVE),
            remove_version: Step::new(REMOVE_VERSION),
            remove_bytes: Step::new(REMOVE_BYTES),
            begin_marks: Step::new(BEGIN_MARKS),
            bump_mark: Step::new(BUMP_MARK),
            standing: Script::new(STANDING),
        }
    }
}

/// A script that changes something, as it is where the server tells others of it, and as it is where it publishes it.
#[derive(Debug)]
pub(crate) struct Step {
    quiet: Script,
    publishing: Script,
}

impl Step {
    fn new(body: &str) -> Self {
        let quiet = Script::new(&format!("local function changed() end{body}"));
        Self { quiet, publishing: Script::new(&format!("{PUBLISH}{body}")) }
    }

    /// A call for this key, below this prefix. `writer` is who publishes, if that is to be.
    pub(crate) fn on<'a>(&'a self, key: &[u8], prefix: &'a str, writer: Option<u64>) -> Call<'a> {
        let mut call = if writer.is_some() { &self.publishing } else { &self.quiet }.key(key);
        if writer.is_some() {
            call.key(position_key(prefix));
        }
        Call { call, publish: writer.map(|writer| (prefix, writer)) }
    }
}

/// A script, and what it is given.
pub(crate) struct Call<'a> {
    call: ScriptInvocation<'a>,
    publish: Option<(&'a str, u64)>,
}

impl<'a> Call<'a> {
    pub(crate) fn arg(mut self, arg: impl ToRedisArgs) -> Self {
        self.call.arg(arg);
        self
    }

    /// All there is to it.
    pub(crate) fn whole(mut self) -> ScriptInvocation<'a> {
        if let Some((channel, writer)) = self.publish {
            self.call.arg(channel).arg(writer).arg(first_position());
        }
        self.call
    }
}

/// After the script's own arguments: the channel, who writes, and where the namespace begins to count if it does not yet.
const PUBLISH: &str = "
local function changed(what)
  local position = redis.call('INCR', KEYS[2])
  if position == 1 then
    position = tonumber(ARGV[#ARGV])
    redis.call('SET', KEYS[2], string.format('%.0f', position))
  end
  local message = string.format('%.0f', position) .. ' ' .. ARGV[#ARGV - 1] .. ' ' .. what .. KEYS[1]
  redis.call('PUBLISH', ARGV[#ARGV - 2], message)
end
";

/// The key of the position, that of silent writers; a channel, a word, and where the namespace begins to count if it does
/// not yet. Says on the channel where the position stands, in the order of the changes. Answers whether there are silent
/// writers.
const STANDING: &str = "
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('SET', KEYS[1], ARGV[3])
end
redis.call('PUBLISH', ARGV[1], ARGV[2] .. ' ' .. redis.call('GET', KEYS[1]))
return redis.call('EXISTS', KEYS[2])
";

/// Value, milliseconds, `NX` if nothing may be there. Answers 1 if stored.
const PUT: &str = "
local stored
if ARGV[3] == 'NX' then
  stored = redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2], 'NX')
else
  stored = redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
if not stored then
  return 0
end
changed('k')
return 1
";

/// Answers how many were removed. What the server has dropped by itself may still have copies, so that there is nothing to
/// remove is published, too.
const REMOVE: &str = "
local removed = redis.call('UNLINK', KEYS[1])
changed('k')
return removed
";

/// Value, milliseconds, the version that must be there. Answers 1 if stored.
const PUT_OVER: &str = "
local stored = 0
if redis.call('GETRANGE', KEYS[1], 0, #ARGV[3] - 1) == ARGV[3] then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  changed('k')
  stored = 1
end
redis.call('PTTL', KEYS[1])
return stored
";

/// A lease is not published: nobody keeps a copy of nothing, and whoever has one of the version that is replaced may go on
/// serving it stale.
///
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
local there = redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1)
if there == ARGV[1] or there == '' then
  changed('k')
  return redis.call('DEL', KEYS[1])
end
return 0
";

/// The bytes that must be there. Answers 1 if removed.
const REMOVE_BYTES: &str = "
local there = redis.call('GET', KEYS[1])
if there == ARGV[1] or not there then
  changed('k')
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
  changed('m')
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
changed('m')
return redis.call('ZMSCORE', KEYS[1], 'n', 's')
";
