//! Starts the application as its users do, and talks to it over a socket.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// A running application; dropping it ends it.
pub(crate) struct App {
    child: Child,
    address: String,
}

/// What it answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl App {
    /// Starts it with these variables and waits until it says where it listens.
    pub(crate) fn start(variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_web-app"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CACHE_") {
                command.env_remove(name);
            }
        }
        command.env("ADDRESS", "127.0.0.1:0").envs(variables.iter().copied()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://").and_then(|rest| rest.strip_suffix('/'));
        let address = address.unwrap_or_else(|| panic!("it said `{line}`")).to_owned();
        Self { child, address }
    }

    pub(crate) fn get(&self, path: &str, session: &str) -> Answer {
        self.ask("GET", path, session, "")
    }

    pub(crate) fn post(&self, path: &str, session: &str, body: &str) -> Answer {
        self.ask("POST", path, session, body)
    }

    /// Signs in and returns the session.
    pub(crate) fn login(&self, user: &str) -> String {
        let answer = self.post("/login", "", &format!(r#"{{"user": "{user}"}}"#));
        assert_eq!(answer.status, 204, "{}", answer.body);
        let cookie = answer.head.lines().find_map(|line| line.strip_prefix("set-cookie: session="));
        cookie.unwrap().split(';').next().unwrap().to_owned()
    }

    fn ask(&self, method: &str, path: &str, session: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let (address, length) = (&self.address, body.len());
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncookie: session={session}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }
}

impl Drop for App {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Answer {
    /// The body, of an answer that is well.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        serde_json::from_str(&self.body).unwrap()
    }
}
