//! A browser as a child process.

use std::env;
use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::devtools::Devtools;
use super::{BrowserError, Page, Screen};
use crate::folder::Folder;
use crate::watchdog::Watchdog;

/// The names of browsers, in order.
const NAMES: [&str; 5] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
/// A file in which each launch leaves a line: program and version, separated by a tab.
const REPORT: &str = "CACHE_TEST_BROWSER_REPORT";
/// On a machine that is busy with other things.
const START: Duration = Duration::from_secs(60);
/// The line in which it says where it listens.
const LISTENS: &str = "DevTools listening on ";

/// Alone on the machine: it asks nobody for updates, and nobody for keys to keep passwords with. Its sandbox wants rights
/// that containers do not give, and is not needed for pages of our own.
const ARGUMENTS: [&str; 14] = [
    "--headless=new",
    "--remote-debugging-port=0",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--password-store=basic",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
];

/// A browser without a window. It ends when it is dropped, and with the test process, however that ends.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    watchdog: Option<Watchdog>,
    address: String,
    version: String,
    /// Removed after the browser has ended.
    _folder: Folder,
}

impl Browser {
    /// Starts one.
    ///
    /// # Errors
    /// None is on the `PATH`, or it does not start; the message says what to do.
    pub fn launch() -> Result<Self, BrowserError> {
        let binary = binary().ok_or_else(|| {
            BrowserError::new(format!(
                "no browser for the tests: none of {} is on the PATH. The package is called chromium on most systems",
                NAMES.join(", ")
            ))
        })?;
        let cannot = |problem: String| BrowserError::new(format!("{}: {problem}", binary.display()));
        let folder = Folder::new().map_err(cannot)?;
        let mut child = Command::new(&binary)
            .args(ARGUMENTS)
            .arg(format!("--user-data-dir={}", folder.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // A group of its own, which ends as a whole.
            .process_group(0)
            .spawn()
            .map_err(|error| cannot(error.to_string()))?;
        let (id, said) = (child.id().to_string(), child.stderr.take());
        let script = r#"kill -s KILL -- "-$1"; rm -rf "$2""#;
        let watchdog = Watchdog::start(script, &[OsStr::new(&id), folder.path().as_os_str()]);
        // From here on a drop ends the child.
        let mut browser =
            Self { child, watchdog: None, address: String::new(), version: String::new(), _folder: folder };
        browser.watchdog = Some(watchdog.map_err(cannot)?);
        browser.address =
            said.ok_or_else(|| "it has no output".to_owned()).and_then(listening).map_err(cannot)?;
        let version =
            Devtools::connect(&browser.address)?.call("Browser.getVersion", &serde_json::json!({}))?;
        browser.version =
            version["product"].as_str().unwrap_or("unknown").replace("Headless", "").replace('/', " ");
        report(&browser.version);
        Ok(browser)
    }

    /// Its name and version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Opens a page in a window of its own that shares nothing with others, and begins to load it.
    ///
    /// # Errors
    /// The browser does not do it.
    pub fn open(&self, url: &str, screen: Screen) -> Result<Page, BrowserError> {
        Page::open(Devtools::connect(&self.address)?, url, screen)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The group, because its helpers would write into the folder for a moment longer.
        let group = format!("-{}", self.child.id());
        drop(Command::new("kill").args(["-s", "KILL", "--", &group]).stderr(Stdio::null()).status());
        // Before the process is waited for, since its number may be another's afterwards.
        drop(self.watchdog.take());
        drop(self.child.wait());
    }
}

fn binary() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    NAMES.iter().find_map(|name| {
        env::split_paths(&path).map(|folder| folder.join(name)).find(|candidate| candidate.is_file())
    })
}

/// Waits for the address, and goes on reading what it says, so that it is never held up by that.
fn listening(said: ChildStderr) -> Result<String, String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(said).lines().map_while(Result::ok) {
            drop(sender.send(line));
        }
    });
    let mut last = "without a word".to_owned();
    loop {
        match receiver.recv_timeout(START) {
            Ok(line) => match line.strip_prefix(LISTENS) {
                Some(address) => return Ok(address.trim().to_owned()),
                None => last = line,
            },
            Err(mpsc::RecvTimeoutError::Timeout) => {
                return Err(format!("it did not start within {START:?}: {last}"));
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => return Err(format!("it ended: {last}")),
        }
    }
}

/// For whoever runs the tests and wants to know what they ran in. It is of no concern to the test.
fn report(version: &str) {
    let Some(path) = env::var_os(REPORT).map(PathBuf::from) else { return };
    let line = format!("{}\t{version}\n", env::current_exe().unwrap_or_default().display());
    if let Ok(mut file) = OpenOptions::new().create(true).append(true).open(path) {
        drop(file.write_all(line.as_bytes()));
    }
}
