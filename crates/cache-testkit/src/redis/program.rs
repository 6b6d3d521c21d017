//! Other programs: found on the `PATH`, and run within a time limit.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// The names of servers, in order.
const SERVERS: [&str; 2] = ["redis-server", "valkey-server"];

/// A server on the `PATH`.
pub(super) fn server() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    SERVERS.iter().find_map(|name| {
        env::split_paths(&path).map(|folder| folder.join(name)).find(|candidate| candidate.is_file())
    })
}

/// Runs a command to its end and returns what it wrote to its standard output.
pub(super) fn output(command: &mut Command, within: Duration) -> Result<Vec<u8>, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{name} cannot be run: {error}"))?;
    let pid = Pid::from_child(&child);
    let (sender, receiver) = mpsc::channel();
    let waiter = std::thread::spawn(move || drop(sender.send(child.wait_with_output())));
    let Ok(ended) = receiver.recv_timeout(within) else {
        // Not yet waited for, so the number is still this child's.
        let _ = kill_process(pid, Signal::KILL);
        drop(waiter.join());
        return Err(format!("{name} did not end within {within:?}"));
    };
    let output = ended.map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("without a word");
    Err(format!("{name} failed: {}", last.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, within: Duration) -> Result<Vec<u8>, String> {
        output(Command::new("sh").args(["-c", script]), within)
    }

    #[test]
    fn a_program_gives_its_output_or_the_reason_why_not() {
        let minute = Duration::from_secs(60);
        assert_eq!(shell("echo out; echo err >&2", minute).unwrap(), b"out\n");
        assert_eq!(shell("echo one >&2; echo two >&2; exit 3", minute).unwrap_err(), "sh failed: two");
        assert!(output(&mut Command::new("no-such-program"), minute).unwrap_err().contains("cannot be run"));
    }

    #[test]
    fn a_program_that_does_not_end_is_ended() {
        let error = shell("exec sleep 600", Duration::from_millis(50)).unwrap_err();
        assert!(error.contains("did not end"), "{error}");
    }
}
