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

/// How many keys the server has dropped to make room since it started, by its answer to `INFO stats`; `None` if it does not
/// say.
///
/// A drop is told like any change, but not to those who leave out their own changes, if it was their command for which
/// the server made room. Then nothing is told of later changes of the key, either.
pub(crate) fn dropped(answer: Value) -> Result<Option<u64>, Fault> {
    let stats = text(reply::checked(answer))?;
    Ok(stats.as_deref().and_then(|stats| field(stats, "evicted_keys")?.parse().ok()))
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
}
