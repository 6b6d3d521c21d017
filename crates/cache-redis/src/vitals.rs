//! One heartbeat: what is asked of the server in one round trip, and what its answers mean.

use std::time::Duration;

use redis::{Pipeline, Value};

use cache_core::random_u64;

use crate::canary::Tested;
use crate::conn::Conn;
use crate::fault::Fault;
use crate::info::{self, Room};
use crate::reply;

/// What a heartbeat has shown. Whatever is wrong with the connection itself is a [`Fault`] instead.
#[derive(Debug)]
pub(crate) struct Vitals {
    /// The database is still the one that it was.
    pub(crate) same_data: bool,
    /// Whether changes are told, if they should be.
    pub(crate) tested: Option<Tested>,
    /// What the server has given up to make room, if it tracks.
    pub(crate) room: Room,
}

/// Asks whether the server is there, whether it is in the role that it was, and whether it still tracks for the very same
/// connection; if it does, also whether the canary is where it was put, what the server gives up to make room, and whether a
/// change of the canary is told.
///
/// The change is made over the same connection, for which the server is told for that one command not to leave out own
/// changes. It comes back the way that every announcement comes, and before the answer to what is asked next.
pub(crate) async fn check(conn: &Conn, heartbeat: Duration) -> Result<Vitals, Fault> {
    let word = random_u64().to_string();
    let mut questions = Pipeline::with_capacity(9);
    questions.cmd("PING").arg(&word).cmd(if conn.protocol > 0 { "HELLO" } else { "ROLE" });
    let (mut changed_to, heard_before) = (0, conn.canary.heard());
    if conn.tracks() {
        questions.cmd("CLIENT").arg("TRACKINGINFO").add_command(conn.canary.look());
        questions.cmd("INFO").arg("stats").cmd("CONFIG").arg("GET").arg("tracking-table-max-keys");
        let (change, holds) = conn.canary.change(heartbeat);
        changed_to = holds;
        questions.cmd("CLIENT").arg("TRACKING").arg("ON");
        questions.add_command(change);
        questions.cmd("CLIENT").arg("TRACKING").arg("ON").arg("NOLOOP");
    }
    // Those who listen would take its absence to mean that everything is published. What this answers is of no interest.
    for say in conn.say_silent_again() {
        questions.add_command(say);
    }
    let mut answers = conn.many(&questions).await?.into_iter();
    if reply::bytes(answers.next())?.as_deref() != Some(word.as_bytes()) {
        return Err(reply::odd());
    }
    greeted(conn, answers.next())?;
    let mut vitals = Vitals { same_data: true, tested: None, room: Room::default() };
    if conn.tracks() {
        still_tracks(answers.next())?;
        vitals.same_data = conn.canary.is_there(answers.next())?;
        let (Some(stats), Some(most)) = (answers.next(), answers.next()) else { return Err(reply::odd()) };
        vitals.room = info::room(stats, most)?;
        let (_, changed, left_out) = (answers.next(), answers.next(), answers.next());
        vitals.tested = Some(conn.canary.tested(changed, changed_to, heard_before)?);
        reply::checked(left_out.unwrap_or_default())?;
    }
    Ok(vitals)
}

/// What `ROLE` answers first.
const ROLES: [&str; 4] = ["master", "slave", "replica", "sentinel"];

/// What `HELLO` answers, or in its place `ROLE`, as far as it is of interest. Older protocols have no maps.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Greeting {
    pub(crate) client: Option<i64>,
    pub(crate) protocol: Option<i64>,
    pub(crate) replica: Option<bool>,
}

impl Greeting {
    pub(crate) fn of(reply: Value) -> Self {
        let fields = match reply {
            Value::Map(fields) => fields,
            Value::Array(role) if role.first().and_then(text).is_some_and(|role| ROLES.contains(&role)) => {
                let replica = role.first().and_then(text).map(|role| role != ROLES[0]);
                return Self { replica, ..Self::default() };
            }
            Value::Array(flat) => {
                let mut flat = flat.into_iter();
                std::iter::from_fn(|| Some((flat.next()?, flat.next()?))).collect()
            }
            _ => return Self::default(),
        };
        let mut greeting = Self::default();
        for (name, value) in fields {
            match (text(&name), &value) {
                (Some("id"), Value::Int(client)) => greeting.client = Some(*client),
                (Some("proto"), Value::Int(protocol)) => greeting.protocol = Some(*protocol),
                (Some("role"), role) => greeting.replica = text(role).map(|role| role != "master"),
                _ => {}
            }
        }
        greeting
    }
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

/// Whether the server still is to this connection what it was when it was set up. What it does not say is not held against
/// it: not every server and not every user may say or ask this.
fn greeted(conn: &Conn, reply: Option<Value>) -> Result<(), Fault> {
    let greeting = match reply::checked(reply.ok_or_else(reply::odd)?) {
        Ok(reply) => Greeting::of(reply),
        Err(fault) if fault.is_outage() => return Err(fault),
        Err(_) => return Ok(()),
    };
    let differs = |now: Option<i64>, then: i64| then != 0 && now.is_some_and(|now| now != then);
    if differs(greeting.client, conn.identity.client) || differs(greeting.protocol, conn.protocol) {
        return Err(Fault::broken("the server has reset the connection, or put another in its place"));
    }
    if greeting.replica.is_some_and(|replica| replica != conn.replica) {
        return Err(Fault::broken("the server has another role than before"));
    }
    Ok(())
}

/// Whether the server tracks what is read here and leaves out own changes.
fn still_tracks(reply: Option<Value>) -> Result<(), Fault> {
    let info = match reply::checked(reply.ok_or_else(reply::odd)?) {
        Ok(info) => info,
        Err(fault) if fault.is_outage() => return Err(fault),
        // A server that cannot be asked shows by the canary what it does.
        Err(_) => return Ok(()),
    };
    let Value::Map(fields) = info else { return Err(reply::odd()) };
    let flags = fields.iter().find(|(name, _)| text(name) == Some("flags")).map(|(_, flags)| flags);
    let has = |flag: &str| match flags {
        Some(Value::Set(flags) | Value::Array(flags)) => flags.iter().any(|it| text(it) == Some(flag)),
        _ => false,
    };
    if has("on") && has("noloop") {
        Ok(())
    } else {
        Err(Fault::broken("the server has ceased to track what is read over the connection"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn info(flags: &[&str]) -> Option<Value> {
        let flags = Value::Set(flags.iter().map(|flag| bulk(flag)).collect());
        Some(Value::Map(vec![(bulk("flags"), flags), (bulk("redirect"), Value::Int(0))]))
    }

    #[test]
    fn tracking_that_was_switched_off_or_tells_own_changes_is_none() {
        assert!(still_tracks(info(&["on", "noloop"])).is_ok());
        for flags in [&["off"][..], &["on"], &["on", "optin"], &[]] {
            assert!(still_tracks(info(flags)).is_err(), "{flags:?}");
        }
        assert!(still_tracks(Some(Value::Okay)).is_err(), "a reply of another command");
    }

    #[test]
    fn a_greeting_is_read_in_both_protocols() {
        let fields = [
            ("server", bulk("redis")),
            ("id", Value::Int(7)),
            ("proto", Value::Int(3)),
            ("role", bulk("master")),
        ];
        let expected = Greeting { client: Some(7), protocol: Some(3), replica: Some(false) };
        let map = fields.iter().map(|(name, value)| (bulk(name), value.clone())).collect();
        assert_eq!(Greeting::of(Value::Map(map)), expected);
        let flat = fields.iter().flat_map(|(name, value)| [bulk(name), value.clone()]).collect();
        assert_eq!(Greeting::of(Value::Array(flat)), expected);
        assert_eq!(Greeting::of(Value::Okay), Greeting::default());
        let role = |role| Value::Array(vec![bulk(role), Value::Int(7), Value::Array(Vec::new())]);
        assert_eq!(Greeting::of(role("master")).replica, Some(false));
        assert_eq!(Greeting::of(role("slave")).replica, Some(true));
    }
}
