//! The protocol in which a browser is driven: commands and their answers, and events in between.

use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

use super::BrowserError;

/// On a machine that is busy with other things.
const ANSWER: Duration = Duration::from_secs(60);

/// A connection to a browser.
pub(super) struct Devtools {
    socket: WebSocket<TcpStream>,
    next: u64,
    session: Option<String>,
    /// What happened since somebody took them.
    pub(super) events: Vec<Value>,
}

impl Devtools {
    pub(super) fn connect(address: &str) -> Result<Self, BrowserError> {
        let cannot = |problem: &dyn std::fmt::Display| BrowserError::new(format!("{address}: {problem}"));
        let host = address.trim_start_matches("ws://").split('/').next().unwrap_or_default();
        let stream = TcpStream::connect(host).map_err(|error| cannot(&error))?;
        stream.set_read_timeout(Some(ANSWER)).map_err(|error| cannot(&error))?;
        let (socket, _) = tungstenite::client(address, stream).map_err(|error| cannot(&error))?;
        Ok(Self { socket, next: 0, session: None, events: Vec::new() })
    }

    /// From now on commands are for this page.
    pub(super) fn attach(&mut self, session: String) {
        self.session = Some(session);
    }

    /// Gives a command and waits for its answer.
    pub(super) fn call(&mut self, method: &str, parameters: &Value) -> Result<Value, BrowserError> {
        let cannot = |problem: &dyn std::fmt::Display| BrowserError::new(format!("{method}: {problem}"));
        self.next += 1;
        let mut command = json!({"id": self.next, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            command["sessionId"] = session.as_str().into();
        }
        self.socket.send(Message::text(command.to_string())).map_err(|error| cannot(&error))?;
        loop {
            let message = self.socket.read().map_err(|error| cannot(&error))?;
            let Message::Text(text) = message else { continue };
            let mut message: Value = serde_json::from_str(&text).map_err(|error| cannot(&error))?;
            if message["id"] == self.next {
                if let Some(problem) = message["error"]["message"].as_str() {
                    return Err(cannot(&problem));
                }
                return Ok(message["result"].take());
            }
            if message["method"].is_string() {
                self.events.push(message);
            }
        }
    }
}
