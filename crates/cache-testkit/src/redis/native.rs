//! A server as a child process.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};

use super::control::Control;
use crate::folder::Folder;
use crate::watchdog::Watchdog;

/// A child process and the folder it works in.
#[derive(Debug)]
pub(super) struct Native {
    binary: PathBuf,
    arguments: Vec<String>,
    addr: SocketAddr,
    folder: Folder,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    watchdog: Watchdog,
}

impl Native {
    /// Prepares a server; it does not run yet.
    pub(super) fn new(binary: PathBuf, addr: SocketAddr, folder: Folder, extra: &[String]) -> Self {
        let own = ["--port", &addr.port().to_string(), "--bind", "127.0.0.1"].map(str::to_owned);
        let arguments = own.into_iter().chain(extra.iter().cloned()).collect();
        Self { binary, arguments, addr, folder, running: Mutex::new(None) }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }

    fn signal(&self, signal: Signal) -> Result<(), String> {
        if !self.is_running()? {
            return Err("the server is not running".into());
        }
        let running = self.running.lock();
        // Not yet waited for, so the number is still this child's, even if it has ended meanwhile.
        let pid = running.as_ref().map(|running| Pid::from_child(&running.child));
        let pid = pid.ok_or("the server is not running")?;
        kill_process(pid, signal).map_err(|error| format!("the server cannot be signalled: {error}"))
    }
}

impl Control for Native {
    fn start(&self) -> Result<(), String> {
        let cannot = |error: io::Error| format!("{} cannot be started: {error}", self.binary.display());
        let log = File::create(self.log()).map_err(cannot)?;
        let mut child = Command::new(&self.binary)
            .args(&self.arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(cannot)?)
            .stderr(log)
            // What a terminal sends to the tests is not for the server.
            .process_group(0)
            .spawn()
            .map_err(cannot)?;
        let (pid, folder) = (child.id().to_string(), self.folder.path());
        match Watchdog::start(r#"kill -s KILL "$1"; rm -rf "$2""#, &[OsStr::new(&pid), folder.as_os_str()]) {
            Ok(watchdog) => {
                *self.running.lock() = Some(Running { child, watchdog });
                Ok(())
            }
            Err(problem) => {
                drop(child.kill());
                drop(child.wait());
                Err(problem)
            }
        }
    }

    fn kill(&self) -> Result<(), String> {
        let Some(Running { mut child, watchdog }) = self.running.lock().take() else { return Ok(()) };
        let killed = child.kill();
        // Before the process is waited for, since its number may be another's afterwards.
        drop(watchdog);
        child.wait().map_err(|error| format!("the server cannot be waited for: {error}"))?;
        killed.map_err(|error| format!("the server cannot be killed: {error}"))
    }

    fn freeze(&self) -> Result<(), String> {
        self.signal(Signal::STOP)
    }

    fn thaw(&self) -> Result<(), String> {
        self.signal(Signal::CONT)
    }

    fn is_running(&self) -> Result<bool, String> {
        let mut running = self.running.lock();
        let alive = match running.as_mut() {
            Some(running) => is_alive(running)?,
            None => false,
        };
        if !alive {
            // With its watchdog: the number of the process may be another's from now on.
            *running = None;
        }
        Ok(alive)
    }

    fn process_id(&self) -> Option<u32> {
        self.running.lock().as_ref().map(|running| running.child.id())
    }

    fn addr(&self) -> SocketAddr {
        self.addr
    }

    fn last_words(&self) -> String {
        last_line(&self.log())
    }
}

fn is_alive(running: &mut Running) -> Result<bool, String> {
    let ended =
        running.child.try_wait().map_err(|error| format!("the server cannot be looked at: {error}"))?;
    Ok(ended.is_none())
}

fn last_line(log: &Path) -> String {
    let log = fs::read(log).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    log.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("nothing").trim().to_owned()
}

impl Drop for Native {
    fn drop(&mut self) {
        drop(self.kill());
    }
}
