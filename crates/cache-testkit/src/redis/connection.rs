//! A client of a few lines, so that tests can act as somebody else.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::ServerError;
use crate::resp::{self, Reply, Splitter};

/// A connection that blocks its thread, one command at a time. For what a foreign client does; not for speed.
pub struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
    frame: Vec<u8>,
    splitter: Splitter,
    within: Duration,
}

impl Connection {
    /// Connects and logs in. Each of these, and each command later, takes at most `within`.
    pub(super) fn open(target: &Target, within: Duration) -> Result<Self, ServerError> {
        let stream = TcpStream::connect_timeout(&target.addr, within).map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        let mut connection =
            Self { stream, unread: Vec::new(), frame: Vec::new(), splitter: Splitter::default(), within };
        if let Some(password) = &target.password {
            let user = target.user.as_deref().unwrap_or("default");
            connection.command(&["AUTH", user, password])?;
        }
        if target.database != 0 {
            connection.command(&["SELECT", &target.database.to_string()])?;
        }
        Ok(connection)
    }

    /// Sends a command and returns its answer.
    ///
    /// # Errors
    /// [`ServerError::Refused`] with the server's error; [`ServerError::Unreachable`] if no answer came in time. The
    /// connection is of no use then, because the answer may still come.
    pub fn command<A: AsRef<[u8]>>(&mut self, parts: &[A]) -> Result<Reply, ServerError> {
        let deadline = Instant::now() + self.within;
        self.stream.set_write_timeout(Some(self.within)).map_err(unreachable)?;
        self.stream.write_all(&resp::command(parts)).map_err(unreachable)?;
        match self.next_until(deadline)? {
            Reply::Error(answer) => Err(ServerError::Refused(answer)),
            reply => Ok(reply),
        }
    }

    /// The next thing that the server says, a push for example.
    ///
    /// # Errors
    /// [`ServerError::Unreachable`] if nothing came in time.
    pub fn next_reply(&mut self) -> Result<Reply, ServerError> {
        self.next_until(Instant::now() + self.within)
    }

    fn next_until(&mut self, deadline: Instant) -> Result<Reply, ServerError> {
        let no_resp = |_| ServerError::Unreachable("the answer is no RESP".into());
        loop {
            if !self.unread.is_empty() {
                let (taken, complete) = self.splitter.take(&self.unread).map_err(no_resp)?;
                self.frame.extend(self.unread.drain(..taken));
                if complete {
                    return resp::parse(&std::mem::take(&mut self.frame)).map_err(no_resp);
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(unreachable(ErrorKind::TimedOut.into()));
            }
            self.stream.set_read_timeout(Some(left)).map_err(unreachable)?;
            let mut buffer = [0; 16 * 1024];
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(unreachable(ErrorKind::UnexpectedEof.into())),
                Ok(read) => self.unread.extend_from_slice(&buffer[..read]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(unreachable(error)),
            }
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
fn unreachable(error: std::io::Error) -> ServerError {
    ServerError::Unreachable(error.to_string())
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("peer", &self.stream.peer_addr().ok()).finish_non_exhaustive()
    }
}

/// Where a server is and how to log in.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) addr: SocketAddr,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) database: u32,
}

impl Target {
    /// Reads `redis://[user][:password]@host[:port][/database]`.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        // The address may hold a password, so no message repeats it.
        let rest = url.strip_prefix("redis://").ok_or("the address has to start with `redis://`")?;
        let (login, place) =
            rest.rsplit_once('@').map_or((None, rest), |(login, place)| (Some(login), place));
        let place = place.split_once('?').map_or(place, |(place, _)| place);
        let (host, database) = place.split_once('/').unwrap_or((place, ""));
        let database = if database.is_empty() { Ok(0) } else { database.parse() };
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let host = if has_port { host.to_owned() } else { format!("{host}:6379") };
        let mut found = std::net::ToSocketAddrs::to_socket_addrs(&host)
            .map_err(|error| format!("the host of the address cannot be found: {error}"))?;
        let (user, password) = match login.map(|login| login.split_once(':').unwrap_or(("", login))) {
            Some((user, password)) => {
                (Some(decode(user)).filter(|user| !user.is_empty()), Some(decode(password)))
            }
            None => (None, None),
        };
        Ok(Self {
            addr: found.next().ok_or("the host of the address has no number")?,
            user,
            password,
            database: database.map_err(|_| "what follows the host has to be the number of a database")?,
        })
    }

    /// The address in the form that clients take.
    pub(super) fn url(&self) -> String {
        let login = match (&self.user, &self.password) {
            (user, Some(password)) => {
                format!("{}:{}@", encode(user.as_deref().unwrap_or("")), encode(password))
            }
            _ => String::new(),
        };
        format!("redis://{login}{}/{}", self.addr, self.database)
    }
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let code = (*first == b'%').then(|| tail.get(..2)).flatten();
        match code.and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_in_all_its_forms_and_written_again() {
        for (url, user, password, database, again) in [
            ("redis://127.0.0.1", None, None, 0, "redis://127.0.0.1:6379/0"),
            ("redis://127.0.0.1:7000/3", None, None, 3, "redis://127.0.0.1:7000/3"),
            ("redis://:p%40ss@127.0.0.1/", None, Some("p@ss"), 0, "redis://:p%40ss@127.0.0.1:6379/0"),
            ("redis://me:x@127.0.0.1:1/1?a=b", Some("me"), Some("x"), 1, "redis://me:x@127.0.0.1:1/1"),
        ] {
            let target = Target::parse(url).unwrap();
            assert_eq!(
                (target.user.as_deref(), target.password.as_deref(), target.database),
                (user, password, database)
            );
            assert_eq!(target.url(), again);
        }
    }

    #[test]
    fn an_address_that_is_none_is_refused_without_being_repeated() {
        for url in ["localhost:6379", "rediss://:secret@127.0.0.1", "redis://:secret@127.0.0.1/x"] {
            let error = Target::parse(url).err().unwrap();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
