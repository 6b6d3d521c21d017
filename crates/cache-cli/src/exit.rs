//! How the program ends.

use std::process::ExitCode;

use cache_core::{Error, ErrorKind};
use cache_factory::RedisUrl;

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
}

impl Failure {
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, message: message.into() }
    }

    pub(crate) fn bad_use(message: impl Into<String>) -> Self {
        Self { exit: Exit::BadUse, message: message.into() }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = match error.kind() {
            ErrorKind::Unavailable | ErrorKind::Timeout => Exit::Unreachable,
            ErrorKind::Configuration | ErrorKind::Validation => Exit::BadUse,
            _ => Exit::Failed,
        };
        Self { exit, message: error.to_string() }
    }
}

/// Prints help, the version, or what is wrong with the command line. An address that stands in a wrong place is shown
/// without its password.
pub(crate) fn usage(error: &clap::Error) -> Exit {
    if !error.use_stderr() {
        // Nobody is left to tell if this fails.
        drop(error.print());
        return Exit::Fine;
    }
    let mut text = error.render().to_string();
    for argument in std::env::args().filter(|argument| argument.contains("://")) {
        let address = argument.split_once('=').map_or(argument.as_str(), |(_, address)| address);
        text = text.replace(address, &RedisUrl::new(address).to_string());
    }
    anstream::eprint!("{text}");
    Exit::BadUse
}
