//! How a server is launched.

use std::fmt;
use std::path::Path;

use super::Way;

/// What a launched server is like. By default it keeps nothing on disk and asks for no password.
///
/// ```no_run
/// use cache_testkit::redis::{Options, RedisServer};
///
/// let options = Options::new().password("of the test").arguments(["--maxmemory", "1mb"]);
/// let server = RedisServer::launch(&options)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Options {
    pub(super) way: Option<Way>,
    pub(super) extra: Vec<String>,
    pub(super) password: Option<String>,
    pub(super) unix_socket: bool,
}

impl Options {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// This way and no other, whatever `CACHE_TEST_REDIS` says. [`Way::Url`] cannot be launched.
    #[must_use]
    pub fn way(mut self, way: Way) -> Self {
        self.way = Some(way);
        self
    }

    /// More arguments for the server: `["--maxmemory", "1mb"]`. They come last, so they win, also over what turns
    /// persistence off. Leave port, address, folder and socket to the launcher.
    #[must_use]
    pub fn arguments<A: Into<String>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.extra.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Asks for this password. It is in the server's address, and our own commands give it.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// Listens on a Unix socket too.
    #[must_use]
    pub fn unix_socket(mut self) -> Self {
        self.unix_socket = true;
        self
    }

    /// The server's arguments, but for where it listens. `socket` is the socket's path as the server sees it.
    pub(super) fn to_arguments(&self, socket: &Path) -> Vec<String> {
        let mut arguments =
            ["--save", "", "--appendonly", "no", "--daemonize", "no"].map(str::to_owned).to_vec();
        if self.unix_socket {
            let socket = socket.to_string_lossy().into_owned();
            arguments.extend(["--unixsocket".into(), socket, "--unixsocketperm".into(), "777".into()]);
        }
        if let Some(password) = &self.password {
            arguments.extend(["--requirepass".into(), password.clone()]);
        }
        arguments.extend(self.extra.iter().cloned());
        arguments
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("way", &self.way)
            .field("arguments", &self.extra.len())
            .field("password", &self.password.as_ref().map(|_| "…"))
            .field("unix_socket", &self.unix_socket)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_of_the_caller_come_last_and_persistence_is_off() {
        let options = Options::new().password("p").unix_socket().arguments(["--maxmemory", "1mb"]);
        let line = options.to_arguments(Path::new("/s")).join(" ");
        assert_eq!(
            line,
            "--save  --appendonly no --daemonize no --unixsocket /s --unixsocketperm 777 --requirepass p --maxmemory 1mb"
        );
    }

    #[test]
    fn a_password_is_not_shown() {
        assert!(!format!("{:?}", Options::new().password("hunter2")).contains("hunter2"));
    }
}
