//! Reads what the server answered. A shape that no server gives means that the connection is out of step.

use std::time::Duration;

use redis::{ServerError, Value};

use crate::fault::Fault;

/// The reply is not one that this command can have.
pub(crate) fn odd() -> Fault {
    Fault::broken("the server's reply does not belong to the command that was sent")
}

/// The reply itself, or the server's error in its place.
pub(crate) fn checked(reply: Value) -> Result<Value, Fault> {
    match reply {
        Value::ServerError(error) => Err(server_error(error)),
        reply => Ok(reply),
    }
}

fn server_error(error: ServerError) -> Fault {
    redis::RedisError::from(error).into()
}

pub(crate) fn int(reply: Option<Value>) -> Result<i64, Fault> {
    match checked(reply.unwrap_or_default())? {
        Value::Int(number) => Ok(number),
        _ => Err(odd()),
    }
}

pub(crate) fn bytes(reply: Option<Value>) -> Result<Option<Vec<u8>>, Fault> {
    match checked(reply.ok_or_else(odd)?)? {
        Value::BulkString(bytes) => Ok(Some(bytes)),
        Value::Nil => Ok(None),
        _ => Err(odd()),
    }
}

pub(crate) fn array(reply: Value) -> Result<Vec<Value>, Fault> {
    match checked(reply)? {
        Value::Array(items) => Ok(items),
        _ => Err(odd()),
    }
}

/// Whether a `SET` was carried out; `NX` may have kept it from it.
pub(crate) fn stored(reply: Option<Value>) -> Result<bool, Fault> {
    match checked(reply.ok_or_else(odd)?)? {
        Value::Okay => Ok(true),
        Value::Nil => Ok(false),
        _ => Err(odd()),
    }
}

/// A whole number of a sorted set, as RESP3 or a script gives it.
pub(crate) fn score(reply: &Value) -> Result<u64, Fault> {
    let number = match reply {
        Value::Double(number) => Some(*number),
        Value::Int(number) => return u64::try_from(*number).map_err(|_| odd()),
        Value::BulkString(text) => std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()),
        _ => None,
    };
    // Beyond 2^53 not every whole number has a double.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    number
        .filter(|number| (0.0..9_007_199_254_740_992.0).contains(number) && number.fract() == 0.0)
        .map(|number| number as u64)
        .ok_or_else(odd)
}

/// What `PTTL` answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// Nothing is stored.
    Nothing,
    /// It does not end.
    Forever,
    /// It ends after this.
    For(Duration),
}

impl Left {
    pub(crate) fn of(reply: Option<Value>) -> Result<Self, Fault> {
        match int(reply)? {
            -2 => Ok(Self::Nothing),
            -1 => Ok(Self::Forever),
            millis => Ok(Self::For(Duration::from_millis(u64::try_from(millis).map_err(|_| odd())?))),
        }
    }

    /// The time, for what is there.
    pub(crate) fn remaining(self) -> Option<Duration> {
        match self {
            Self::For(time) => Some(time),
            Self::Nothing | Self::Forever => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Cause;

    #[test]
    fn a_reply_of_another_command_breaks_the_connection() {
        let odd = |result: Result<(), Fault>| assert_eq!(result.unwrap_err().cause, Cause::Broken);
        odd(int(Some(Value::Okay)).map(drop));
        odd(int(None).map(drop));
        odd(bytes(Some(Value::Int(1))).map(drop));
        odd(bytes(None).map(drop));
        odd(array(Value::Int(1)).map(drop));
        odd(stored(Some(Value::Int(1))).map(drop));
        odd(Left::of(Some(Value::Int(-3))).map(drop));
        for number in [-1.0, 0.5, 9.1e15, f64::NAN, f64::INFINITY] {
            odd(score(&Value::Double(number)).map(drop));
        }
        odd(score(&Value::BulkString(b"x".to_vec())).map(drop));
    }

    #[test]
    fn what_is_right_is_read() {
        assert_eq!(Left::of(Some(Value::Int(-2))).unwrap(), Left::Nothing);
        assert_eq!(Left::of(Some(Value::Int(-1))).unwrap(), Left::Forever);
        assert_eq!(Left::of(Some(Value::Int(7))).unwrap().remaining(), Some(Duration::from_millis(7)));
        assert_eq!(score(&Value::Double(9_007_199_254_740_991.0)).unwrap(), (1 << 53) - 1);
        assert_eq!(score(&Value::BulkString(b"7".to_vec())).unwrap(), 7);
        assert!(stored(Some(Value::Okay)).unwrap() && !stored(Some(Value::Nil)).unwrap());
    }
}
