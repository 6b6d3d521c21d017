//! The processes of a run, and what connects them.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use cache_testkit::redis::{Options, RedisServer, Way};

use crate::child::{Look, Role};
use crate::log::ProcessLog;

/// The word that makes this program a process of a run.
pub(crate) const CHILD: &str = "process-of-a-run";
/// For each answer of a process.
const ANSWER: Duration = Duration::from_secs(60);

/// A server of its own that keeps nothing on disk.
pub(crate) fn launch(arguments: &[&str]) -> Result<RedisServer, String> {
    let options = || {
        let all = ["--enable-debug-command", "yes"].iter().chain(arguments).copied();
        Options::new().arguments(all)
    };
    let native = RedisServer::launch(&options().way(Way::Native));
    // A server that is too old for the argument, or none on the path.
    native
        .or_else(|_| {
            RedisServer::launch(&Options::new().arguments(arguments.iter().copied()).way(Way::Native))
        })
        .or_else(|_| RedisServer::launch(&options().way(Way::Fetch)))
        .map_err(|error| error.to_string())
}

/// A process with a cache. It ends when this is dropped.
pub(crate) struct Process {
    role: Role,
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Process {
    /// Starts one, and does not wait until it is ready.
    pub(crate) fn start(role: Role) -> Result<Self, String> {
        let cannot = |error: std::io::Error| format!("a process cannot be started: {error}");
        let program = std::env::current_exe().map_err(cannot)?;
        let mut command = Command::new(program);
        command.arg(CHILD).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(cannot)?;
        let input = child.stdin.take();
        let (sender, lines) = channel();
        if let Some(output) = child.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        return;
                    }
                }
            });
        }
        let mut process = Self { role, child, input, lines };
        let role = serde_json::to_string(&process.role).map_err(|error| error.to_string())?;
        process.tell(&role)?;
        Ok(process)
    }

    pub(crate) fn tell(&mut self, line: &str) -> Result<(), String> {
        let input = self.input.as_mut().ok_or("a process has no input")?;
        writeln!(input, "{line}").and_then(|()| input.flush()).map_err(|error| self.gone(&error.to_string()))
    }

    /// Waits for the next line that it says.
    pub(crate) fn hear(&mut self) -> Result<String, String> {
        self.lines.recv_timeout(ANSWER).map_err(|_| self.gone("it said nothing"))
    }

    pub(crate) fn expect(&mut self, wanted: &str) -> Result<(), String> {
        let line = self.hear()?;
        if line == wanted { Ok(()) } else { Err(self.gone(&format!("it said `{line}`"))) }
    }

    pub(crate) fn look(&mut self) -> Result<Look, String> {
        self.tell("look")?;
        serde_json::from_str(&self.hear()?).map_err(|error| error.to_string())
    }

    /// What it noted down; it is over then.
    pub(crate) fn log(&mut self) -> Result<ProcessLog, String> {
        self.expect("ended")?;
        let bytes = std::fs::read(&self.role.log).map_err(|error| error.to_string())?;
        rmp_serde::from_slice(&bytes).map_err(|error| error.to_string())
    }

    fn gone(&self, why: &str) -> String {
        format!("process {}: {why}", self.role.process)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.input.take());
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A folder for the notes of a run, removed on drop.
pub(crate) struct Folder(std::path::PathBuf);

impl Folder {
    pub(crate) fn new() -> Result<Self, String> {
        let path = std::env::temp_dir().join(format!("staleness-{:016x}", cache_core::random_u64()));
        std::fs::create_dir(&path).map_err(|error| error.to_string())?;
        Ok(Self(path))
    }

    pub(crate) fn file(&self, name: &str) -> std::path::PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}
