//! How the program ends.

use std::process::ExitCode;

use cache_core::{Error, ErrorKind};
use clap::error::KindFormatter;

use crate::shown;

/// The exit codes, for scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// All is well.
    Fine = 0,
    /// A check failed, something was not found, or something could not be done.
    Failed = 1,
    /// The command line, the configuration or the credentials are wrong.
    BadUse = 2,
    /// The store cannot be reached.
    Unreachable = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command could not do what it was told.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) message: String,
    /// How many entries were changed before, if it broke off among them.
    pub(crate) done: Option<u64>,
}

/// Steps of the library that mean nothing to who runs a command.
const INNER: &[&str] = &["CacheConfig", "ai_from_config", "from_config", "from_variables", "inspect"];

impl Failure {
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, message: message.into(), done: None }
    }

    pub(crate) fn bad_use(message: impl Into<String>) -> Self {
        Self { exit: Exit::BadUse, message: message.into(), done: None }
    }

    /// Says how many of the entries were changed before.
    pub(crate) fn after(self, done: u64, of: u64, changed: &str) -> Self {
        let message = format!("{}; {done} of {of} entries were {changed} before", self.message);
        Self { message, done: Some(done), ..self }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        // What a server says of a command may come as that it is of no use.
        let kind = match error.downcast_ref::<Error>() {
            Some(inner) if error.is_retryable() => inner.kind(),
            _ => error.kind(),
        };
        let exit = match kind {
            ErrorKind::Unavailable | ErrorKind::Timeout => Exit::Unreachable,
            ErrorKind::Configuration | ErrorKind::Validation => Exit::BadUse,
            _ => Exit::Failed,
        };
        let message = match error.operation() {
            Some(operation) if INNER.contains(&operation) => error.message().to_owned(),
            _ => error.to_string(),
        };
        Self { exit, message, done: None }
    }
}

/// Prints help, the version, or what is wrong with the command line. What may be an address with a password is not
/// repeated, wherever it stands: its place is named.
pub(crate) fn usage(error: clap::Error) -> Exit {
    if !error.use_stderr() {
        // Nobody is left to tell if this fails.
        drop(error.print());
        return Exit::Fine;
    }
    // Not all of them need be text.
    let arguments = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).skip(1);
    let secrets: Vec<_> = (1..).zip(arguments).filter(|(_, argument)| may_be_secret(argument)).collect();
    let text = error.render().to_string();
    // What is in a sequence for terminals is gone from the text, so it is not found there.
    let is_disguised = secrets.iter().any(|(_, argument)| argument.contains(char::is_control));
    if may_be_secret(&text) || is_disguised {
        let places: Vec<_> = secrets.iter().map(|(place, _)| place.to_string()).collect();
        eprint_lines(&error.apply::<KindFormatter>().render().to_string());
        eprint_lines(&format!("not shown, as it may hold a password: argument {}", places.join(", ")));
    } else {
        eprint_lines(&text);
    }
    Exit::BadUse
}

/// Our own words never have these.
fn may_be_secret(text: &str) -> bool {
    let plain: String = text.chars().filter(|character| !character.is_control()).collect();
    plain.contains('@') || plain.contains("://")
}

fn eprint_lines(text: &str) {
    text.lines().for_each(|line| anstream::eprintln!("{}", shown::text(line)));
}
