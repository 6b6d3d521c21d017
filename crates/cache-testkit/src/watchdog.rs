//! Cleans up after a test process that died without doing so.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// A shell that waits for the end of this process, however it ends, and then runs a script.
///
/// It holds the reading end of a pipe whose only writing end is here, so the system itself wakes it.
#[derive(Debug)]
pub(crate) struct Watchdog {
    shell: Child,
}

impl Watchdog {
    /// Starts to watch. The script finds the arguments in `$1`, `$2`, ….
    pub(crate) fn start(script: &str, arguments: &[&OsStr]) -> Result<Self, String> {
        let shell = Command::new("sh")
            .args(["-c", &format!("while read -r _; do :; done; {script}"), "watchdog"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // What is sent to the group of the tests, by a terminal for example, must not reach it.
            .process_group(0)
            .spawn()
            .map_err(|error| format!("no shell to watch over it: {error}"))?;
        Ok(Self { shell })
    }
}

/// There is nothing left to clean up.
impl Drop for Watchdog {
    fn drop(&mut self) {
        // Killed before its input ends, so it does nothing more.
        drop(self.shell.kill());
        drop(self.shell.wait());
    }
}
