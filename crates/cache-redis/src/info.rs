//! What the server says of itself.

use redis::Value;

use crate::conn::Conn;
use crate::fault::Fault;
use crate::reply;

/// A section of what the server says of itself; `None` if this user may not ask.
pub(crate) async fn section(conn: &Conn, name: &str) -> Result<Option<String>, Fault> {
    text(conn.one(redis::cmd("INFO").arg(name)).await)
}

fn text(reply: Result<Value, Fault>) -> Result<Option<String>, Fault> {
    match reply {
        Ok(Value::BulkString(info)) => Ok(Some(String::from_utf8_lossy(&info).into_owned())),
        Ok(Value::VerbatimString { text, .. }) => Ok(Some(text)),
        Err(fault) if fault.is_outage() => Err(fault),
        Ok(_) | Err(_) => Ok(None),
    }
}

/// The value of a line `name:value`.
pub(crate) fn field<'a>(section: &'a str, name: &str) -> Option<&'a str> {
    section.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// What the server gives up to make room. It tells of that like of any change, but not those who leave out their own
/// changes, if it was their command for which it made room. Then nothing is told of later changes of the key, either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Room {
    /// How many keys it has dropped since it started, if it says so.
    pub(crate) dropped: Option<u64>,
    /// It tracks so many keys that it has forgotten some, or may have until it is asked again.
    pub(crate) forgets: bool,
}

/// How many keys a server tracks that does not say it: what it is unless somebody sets it.
const MOST_TRACKED: u64 = 1_000_000;

/// So many of those that it tracks may change from one heartbeat to the next: a tenth, and at least this many. What it
/// forgot in between shows as long as no more do.
const ROOM: u64 = 10_000;

/// By the answers to `INFO stats` and `CONFIG GET tracking-table-max-keys`.
pub(crate) fn room(stats: Value, most: Value) -> Result<Room, Fault> {
    let stats = text(reply::checked(stats))?;
    let number = |name| stats.as_deref().and_then(|stats| field(stats, name)?.parse::<u64>().ok());
    let most = match reply::checked(most) {
        Ok(answer) => setting(answer).unwrap_or(MOST_TRACKED),
        Err(fault) if fault.is_outage() => return Err(fault),
        Err(_) => MOST_TRACKED,
    };
    let full = most.saturating_sub(ROOM.max(most / 10));
    let forgets = most > 0 && number("tracking_total_keys").is_some_and(|now| now >= full);
    Ok(Room { dropped: number("evicted_keys"), forgets })
}

/// The value in the answer to `CONFIG GET` of one setting.
fn setting(answer: Value) -> Option<u64> {
    let value = match answer {
        Value::Map(pairs) => pairs.into_iter().next()?.1,
        Value::Array(flat) => flat.into_iter().nth(1)?,
        _ => return None,
    };
    std::str::from_utf8(&reply::bytes(Some(value)).ok()??).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "# Stats\r\nevicted_keys_more:1\r\nevicted_keys:27\r\nrun_id:\r\n";
        assert_eq!(field(text, "evicted_keys"), Some("27"));
        assert_eq!(field(text, "run_id"), Some(""));
        assert_eq!(field(text, "keys"), None);
    }

    #[test]
    fn a_server_forgets_when_it_tracks_nearly_as_much_as_it_may() {
        let bulk = |text: String| Value::BulkString(text.into_bytes());
        let most =
            |most: u64| Value::Array(vec![bulk("tracking-table-max-keys".into()), bulk(most.to_string())]);
        let forgets = |now: u64, most| {
            room(bulk(format!("tracking_total_keys:{now}\r\nevicted_keys:3\r\n")), most).unwrap().forgets
        };
        assert!(
            forgets(0, most(10)) && forgets(900_000, most(1_000_000)) && !forgets(899_999, most(1_000_000))
        );
        assert!(forgets(10_000, most(20_000)) && !forgets(9_999, most(20_000)));
        assert!(!forgets(u64::MAX, most(0)), "no bound");
        assert!(forgets(900_000, Value::Nil) && !forgets(899_999, Value::Nil), "it is not said");
        let said = room(bulk("evicted_keys:3\r\n".into()), most(10)).unwrap();
        assert_eq!(said, Room { dropped: Some(3), forgets: false });
    }
}
