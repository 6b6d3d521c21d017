//! A server for tests, wherever it came from.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::connection::Target;
use super::control::Control;
use super::{Connection, LaunchError, Options, ServerError, Way, launch};
use crate::resp::Reply;

/// For one command, and for a connection.
const ANSWER: Duration = Duration::from_secs(5);
/// From the start of a process to its first answer, on a machine that has much to do.
const READY: Duration = Duration::from_secs(20);
/// From the word to the end of a process.
const GONE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(2);

/// A Redis or Valkey server for tests. Dropping it ends the server; so does the end of the process, however it ends.
///
/// Every method that does something blocks its thread: a command for as long as a round trip takes, the rest for
/// milliseconds with a process and up to a second with a container. Nothing here needs a runtime.
pub struct RedisServer {
    way: Way,
    target: Target,
    version: String,
    socket: Option<PathBuf>,
    control: Option<Box<dyn Control>>,
}

impl RedisServer {
    /// A server of its own, by the first way that works: docker, native, fetch. `CACHE_TEST_REDIS` forces one of
    /// these; [`Options::way`] wins over it.
    ///
    /// # Errors
    /// [`LaunchError`] says of each way why it did not work. A forced way that does not work is an error.
    pub fn launch(options: &Options) -> Result<Self, LaunchError> {
        launch::own(options)
    }

    /// The server that `CACHE_TEST_REDIS_URL` names, or one of its own with the default options. For a test process
    /// that keeps one server for all its tests; they stay apart by [`fresh_namespace`](super::fresh_namespace).
    ///
    /// # Errors
    /// [`LaunchError`], also if the named server does not answer.
    pub fn shared_or_launch() -> Result<Self, LaunchError> {
        launch::shared()
    }

    /// A server that somebody else runs.
    pub(super) fn given(url: &str) -> Result<Self, String> {
        let target = Target::parse(url)?;
        let mut server = Self { way: Way::Url, target, version: String::new(), socket: None, control: None };
        server.version = server.ask_version().map_err(|error| error.to_string())?;
        Ok(server)
    }

    /// A server that was just started.
    pub(super) fn started(
        way: Way,
        control: Box<dyn Control>,
        options: &Options,
        socket: Option<PathBuf>,
    ) -> Result<Self, String> {
        let target =
            Target { addr: control.addr(), user: None, password: options.password.clone(), database: 0 };
        let mut server = Self { way, target, version: String::new(), socket, control: Some(control) };
        server.wait_until_ready().map_err(|error| error.to_string())?;
        server.version = server.ask_version().map_err(|error| error.to_string())?;
        Ok(server)
    }

    /// Its address for clients: `redis://[:password@]host:port/0`, or as it was given.
    pub fn url(&self) -> String {
        self.target.url()
    }

    /// Its address as a socket address.
    pub fn addr(&self) -> SocketAddr {
        self.target.addr
    }

    /// The path of its Unix socket, if it was asked for.
    pub fn unix_socket(&self) -> Option<&Path> {
        self.socket.as_deref()
    }

    /// What it is: `redis 7.0.15` or `valkey 9.1.2`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// How it was had.
    pub fn way(&self) -> Way {
        self.way
    }

    /// Runs one command over a connection of its own, within 5 s: what somebody else does at the same time. For
    /// thousands of commands take a [`connect`](Self::connect).
    ///
    /// # Errors
    /// [`ServerError::Refused`] with the server's error, [`ServerError::Unreachable`] without an answer.
    pub fn command<A: AsRef<[u8]>>(&self, parts: &[A]) -> Result<Reply, ServerError> {
        self.connect()?.command(parts)
    }

    /// A connection to it, for which each command takes at most 5 s.
    ///
    /// # Errors
    /// [`ServerError`] if there is none within 5 s, or the server does not let us in.
    pub fn connect(&self) -> Result<Connection, ServerError> {
        Connection::open(&self.target, ANSWER)
    }

    /// Ends it at once, as `kill -9` does. Fine if it does not run.
    ///
    /// # Errors
    /// [`ServerError::NotOurs`], or what hindered it.
    pub fn kill(&self) -> Result<(), ServerError> {
        self.control()?.kill().map_err(ServerError::Control)
    }

    /// Freezes it: the system still takes connections and bytes for it, and nothing is answered until
    /// [`cont`](Self::cont).
    ///
    /// # Errors
    /// [`ServerError::NotOurs`], or what hindered it.
    pub fn stop(&self) -> Result<(), ServerError> {
        self.control()?.freeze().map_err(ServerError::Control)
    }

    /// Lets it go on after [`stop`](Self::stop).
    ///
    /// # Errors
    /// [`ServerError::NotOurs`], or what hindered it.
    pub fn cont(&self) -> Result<(), ServerError> {
        self.control()?.thaw().map_err(ServerError::Control)
    }

    /// Tells it to end, and waits until it has: it closes its connections in good order.
    ///
    /// # Errors
    /// [`ServerError::NotOurs`], or that it refused or did not end within 10 s.
    pub fn shutdown(&self) -> Result<(), ServerError> {
        let control = self.control()?;
        match self.command(&["SHUTDOWN", "NOSAVE"]) {
            // It hangs up instead of answering.
            Ok(_) | Err(ServerError::Unreachable(_)) => {}
            Err(error) => return Err(error),
        }
        let started = Instant::now();
        while control.is_running().map_err(ServerError::Control)? {
            if started.elapsed() > GONE {
                return Err(ServerError::Control(format!("the server did not end within {GONE:?}")));
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Kills it if it runs, starts it again on the same port with the same arguments, and waits for its first answer,
    /// which may be that it is still loading.
    ///
    /// # Errors
    /// [`ServerError::NotOurs`], or that it does not come back.
    pub fn restart(&self) -> Result<(), ServerError> {
        let control = self.control()?;
        control.kill().map_err(ServerError::Control)?;
        control.start().map_err(ServerError::Control)?;
        self.wait_until_ready()
    }

    fn control(&self) -> Result<&dyn Control, ServerError> {
        self.control.as_deref().ok_or(ServerError::NotOurs)
    }

    fn wait_until_ready(&self) -> Result<(), ServerError> {
        let started = Instant::now();
        let control = self.control()?;
        loop {
            let problem = match Connection::open(&self.target, ANSWER).and_then(|mut c| c.command(&["PING"]))
            {
                Ok(_) => break,
                // It is up, only not yet ready to serve.
                Err(ServerError::Refused(answer)) if answer.starts_with("LOADING") => break,
                Err(ServerError::Refused(answer)) => return Err(ServerError::Refused(answer)),
                Err(error) => error.to_string(),
            };
            if !control.is_running().map_err(ServerError::Control)? {
                return Err(ServerError::Control(format!("the server ended: {}", control.last_words())));
            }
            if started.elapsed() > READY {
                return Err(ServerError::Control(format!("no answer within {READY:?}: {problem}")));
            }
            std::thread::sleep(PAUSE);
        }
        // Somebody else may have been faster to take the port.
        let wanted = control.process_id();
        let found = self.info("process_id")?.and_then(|id| id.parse().ok());
        if wanted.is_some() && wanted != found {
            return Err(ServerError::Control("another server listens on the port".into()));
        }
        Ok(())
    }

    fn ask_version(&self) -> Result<String, ServerError> {
        if let Some(version) = self.info("valkey_version")? {
            return Ok(format!("valkey {version}"));
        }
        Ok(format!("redis {}", self.info("redis_version")?.unwrap_or_else(|| "of an unknown version".into())))
    }

    /// A field of what the server says of itself.
    fn info(&self, field: &str) -> Result<Option<String>, ServerError> {
        let info = self.command(&["INFO", "server"])?.text();
        let line = info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        Ok(line.map(|value| value.trim().to_owned()))
    }
}

impl fmt::Debug for RedisServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisServer")
            .field("way", &self.way)
            .field("addr", &self.target.addr)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
