//! What can be done to a server that is ours.

use std::fmt;
use std::net::SocketAddr;

/// A server's process or container. Each call blocks until it is done.
pub(super) trait Control: Send + Sync + fmt::Debug {
    /// Starts the server where it was before. It must not be running.
    fn start(&self) -> Result<(), String>;
    /// Ends it without a chance to say good-bye. Fine if it is not running, also if it is frozen.
    fn kill(&self) -> Result<(), String>;
    /// Freezes it: connections stay and are taken, nothing is answered.
    fn freeze(&self) -> Result<(), String>;
    /// Undoes a freeze.
    fn thaw(&self) -> Result<(), String>;
    /// Whether it runs, frozen or not.
    fn is_running(&self) -> Result<bool, String>;
    /// The number that the running server must give for itself, if that is known.
    fn process_id(&self) -> Option<u32>;
    /// Where it can be reached.
    fn addr(&self) -> SocketAddr;
    /// What it said last, for a message.
    fn last_words(&self) -> String;
}
