//! What a failure means for the caller and for the connection.

use std::io;
use std::time::Duration;

use cache_core::{Error, ErrorKind};
use redis::{ErrorKind as Raw, RedisError};

use crate::backoff::Trouble;

/// Why a command was not carried out.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) error: Error,
    pub(crate) cause: Cause,
}

/// What is to be done about it beside telling the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Nothing.
    Other,
    /// The connection is of no use any more.
    Broken,
    /// The server has become a replica: another connection may reach the new primary.
    ReadOnly,
    /// The server does not speak the protocol that it was spoken to in.
    OldProtocol,
    /// The server has no memory for this.
    OutOfMemory,
}

impl From<RedisError> for Fault {
    fn from(error: RedisError) -> Self {
        match error.kind() {
            Raw::Io | Raw::Client => Self::broken(io_reason(&error)),
            Raw::Parse | Raw::UnexpectedReturnType => Self::broken("the server's reply could not be read"),
            Raw::AuthenticationFailed => Self::refused("the server refused the user or the password"),
            Raw::InvalidClientConfig => Self::refused("the settings of the connection are not valid"),
            Raw::RESP3NotSupported => Self {
                cause: Cause::OldProtocol,
                ..Self::refused("the server does not speak RESP3; Redis 6.2 or Valkey is needed")
            },
            _ => Self::from_server(&error),
        }
    }
}

impl Fault {
    fn new(kind: ErrorKind, cause: Cause, message: impl Into<String>) -> Self {
        Self { error: Error::new(kind, message), cause }
    }

    pub(crate) fn broken(reason: &str) -> Self {
        Self::new(ErrorKind::Unavailable, Cause::Broken, reason)
    }

    /// Connecting took longer than it may.
    pub(crate) fn not_in_time(bound: Duration, is_encrypted: bool) -> Self {
        let hint = if is_encrypted { "; does it speak TLS at this port?" } else { "" };
        let message = format!("the server did not let us in within {bound:?}{hint}");
        Self::new(ErrorKind::Timeout, Cause::Other, message)
    }

    /// Nothing answers at the address, or not any more.
    pub(crate) fn unreachable(error: &io::Error) -> Self {
        Self::new(ErrorKind::Unavailable, Cause::Other, format!("the server cannot be reached: {error}"))
    }

    /// It cannot be as the settings say.
    pub(crate) fn refused(reason: impl Into<String>) -> Self {
        Self::new(ErrorKind::Configuration, Cause::Other, reason)
    }

    fn from_server(error: &RedisError) -> Self {
        let aborted = error.clone().into_server_errors();
        let (code, detail) = match aborted.as_deref().and_then(|errors| errors.first()) {
            Some((_, inner)) => (inner.code().to_owned(), inner.details().unwrap_or_default().to_owned()),
            None => (error.code().unwrap_or("ERR").to_owned(), error.detail().unwrap_or_default().to_owned()),
        };
        let (kind, cause, meaning) = judge(&code, &detail);
        let fault = Self::new(kind, cause, format!("{meaning} ({code})"));
        match code.as_str() {
            "OOM" | "MISCONF" | "NOREPLICAS" | "READONLY" => {
                Self { error: fault.error.while_reads_go_on(), ..fault }
            }
            _ => fault,
        }
    }

    /// Whether the server was not there, rather than unwilling.
    pub(crate) fn is_outage(&self) -> bool {
        self.cause == Cause::Broken || self.error.is_retryable()
    }

    /// How soon to try again after this.
    pub(crate) fn trouble(&self) -> Trouble {
        if self.error.kind() == ErrorKind::Configuration { Trouble::Refused } else { Trouble::Away }
    }
}

fn io_reason(error: &RedisError) -> &'static str {
    if error.is_connection_refusal() {
        "nobody listens at the server's address"
    } else if error.is_timeout() {
        "the network timed out"
    } else {
        "the connection was closed"
    }
}

/// What a server's error means, by its code and, for the code that stands for everything, by its text. The text itself
/// is not passed on, because it may repeat arguments, which are users' data.
fn judge(code: &str, detail: &str) -> (ErrorKind, Cause, &'static str) {
    use Cause::{Broken, Other, OutOfMemory, ReadOnly};
    use ErrorKind::{Codec, Configuration, Internal, Unavailable, Unsupported};
    match code {
        "LOADING" => (Unavailable, Other, "the server is loading its data"),
        "READONLY" => (Unavailable, ReadOnly, "the server is a replica and takes no writes"),
        "MASTERDOWN" => (Unavailable, Other, "the server is a replica without its primary"),
        "OOM" => (Unavailable, OutOfMemory, "the server has no memory left and evicts nothing"),
        "MISCONF" => (Unavailable, Other, "the server cannot save to its disk and takes no writes"),
        "BUSY" | "UNKILLABLE" => (Unavailable, Other, "the server is busy with somebody's script"),
        "NOREPLICAS" => (Unavailable, Other, "the server has too few replicas to take writes"),
        "CLUSTERDOWN" | "TRYAGAIN" => (Unavailable, Other, "the cluster is not complete just now"),
        "NOAUTH" | "WRONGPASS" | "DENIED" => {
            (Configuration, Other, "the server wants another user or password")
        }
        "NOPERM" => {
            (Configuration, Other, "the server's access rules forbid this command or key to this user")
        }
        "NOPROTO" => (
            Configuration,
            Cause::OldProtocol,
            "the server does not speak RESP3; Redis 6.2 or Valkey is needed",
        ),
        "MOVED" | "ASK" | "CROSSSLOT" => (Configuration, Other, "the server is a node of a cluster"),
        "WRONGTYPE" => (Codec, Other, "what is stored under the key is not a string"),
        "NOSCRIPT" => (Unavailable, Other, "the server lost a script while it was called"),
        _ if detail.contains("max number of clients") => {
            (Unavailable, Broken, "the server has as many clients as it allows")
        }
        _ if detail.contains("DB index") || detail.contains("database") => {
            (Configuration, Other, "the server has no database of this number")
        }
        _ if detail.starts_with("unknown command") || detail.starts_with("Unknown subcommand") => {
            (Unsupported, Other, "the server does not know a command; Redis 6.2 or Valkey is needed")
        }
        // The protocol is out of step, or somebody talks to another kind of server.
        _ if detail.starts_with("Protocol error") => {
            (Unavailable, Broken, "the server could not read a command")
        }
        _ => (Internal, Other, "the server refused a command"),
    }
}

#[cfg(test)]
mod tests {
    use redis::make_extension_error;

    use super::*;

    #[test]
    fn every_error_of_a_server_has_its_kind() {
        use Cause::{Broken, Other, OutOfMemory, ReadOnly};
        use ErrorKind::{Codec, Configuration, Internal, Unavailable, Unsupported};
        let table = [
            ("LOADING Redis is loading the dataset in memory", Unavailable, Other),
            ("READONLY You can't write against a read only replica.", Unavailable, ReadOnly),
            ("MASTERDOWN Link with MASTER is down", Unavailable, Other),
            ("OOM command not allowed when used memory > 'maxmemory'.", Unavailable, OutOfMemory),
            ("MISCONF Redis is configured to save RDB snapshots", Unavailable, Other),
            ("BUSY Redis is busy running a script.", Unavailable, Other),
            ("UNKILLABLE Sorry the script already executed write commands", Unavailable, Other),
            ("NOREPLICAS Not enough good replicas to write.", Unavailable, Other),
            ("CLUSTERDOWN The cluster is down", Unavailable, Other),
            ("TRYAGAIN Multiple keys request during rehashing of slot", Unavailable, Other),
            ("NOAUTH Authentication required.", Configuration, Other),
            ("WRONGPASS invalid username-password pair or user is disabled.", Configuration, Other),
            ("NOPERM this user has no permissions to run the 'eval' command", Configuration, Other),
            ("NOPROTO unsupported protocol version", Configuration, Cause::OldProtocol),
            ("MOVED 3999 127.0.0.1:6381", Configuration, Other),
            ("ASK 3999 127.0.0.1:6381", Configuration, Other),
            ("CROSSSLOT Keys in request don't hash to the same slot", Configuration, Other),
            ("WRONGTYPE Operation against a key holding the wrong kind of value", Codec, Other),
            ("NOSCRIPT No matching script. Please use EVAL.", Unavailable, Other),
            ("ERR max number of clients reached", Unavailable, Broken),
            ("ERR DB index is out of range", Configuration, Other),
            ("ERR unknown command 'EVALSHA', with args beginning with: ", Unsupported, Other),
            ("ERR Protocol error: invalid bulk length", Unavailable, Broken),
            ("ERR something nobody has heard of", Internal, Other),
        ];
        for (line, kind, cause) in table {
            let (code, detail) = line.split_once(' ').unwrap();
            let fault = Fault::from(make_extension_error(code.into(), Some(detail.into())));
            assert_eq!((fault.error.kind(), fault.cause), (kind, cause), "{line}");
            let only_writes = ["OOM", "MISCONF", "NOREPLICAS", "READONLY"].contains(&code);
            assert_eq!(fault.error.do_reads_go_on(), only_writes, "{line}");
            assert!(fault.error.message().ends_with(&format!("({code})")), "{}", fault.error);
        }
    }

    #[test]
    fn what_the_server_repeats_of_a_command_is_not_passed_on() {
        let detail = "unknown command 'SET', with args beginning with: 'session:42' 'hunter2'";
        let fault = Fault::from(make_extension_error("ERR".into(), Some(detail.into())));
        assert!(!format!("{fault:?}").contains("hunter2"));
    }

    #[test]
    fn a_connection_that_ends_is_away_and_wrong_credentials_are_refused() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let fault = Fault::from(RedisError::from(refused));
        assert_eq!(
            (fault.error.kind(), fault.cause, fault.trouble()),
            (ErrorKind::Unavailable, Cause::Broken, Trouble::Away)
        );
        let fault =
            Fault::from(RedisError::from((Raw::AuthenticationFailed, "Password authentication failed")));
        assert_eq!((fault.error.kind(), fault.trouble()), (ErrorKind::Configuration, Trouble::Refused));
    }
}
