//! A real browser for tests, without a window: what a page shows, what it complains about, and what it asks for.
//!
//! It is Chromium (or Chrome) from the `PATH`. Where there is none, [`Browser::launch`] says so and how to get it; no test
//! passes by doing without. `CACHE_TEST_BROWSER_REPORT` names a file in which each launch leaves a line.
//!
//! Calls block, so an asynchronous test makes them on a thread that may be blocked.
//!
//! ```no_run
//! use cache_testkit::browser::{Browser, Screen};
//! use std::time::Duration;
//!
//! let browser = Browser::launch()?;
//! let mut page = browser.open("http://127.0.0.1:8080/", Screen::desktop().dark())?;
//! page.wait_for("document.querySelector('h1')", Duration::from_secs(10))?;
//! assert_eq!(page.eval("document.title")?, "Cache");
//! assert_eq!(page.complaints()?, [""; 0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod devtools;
mod launch;
mod page;
mod screen;

use std::fmt;

pub use launch::Browser;
pub use page::Page;
pub use screen::Screen;

/// A browser could not be had, or did not do as it was told.
///
/// Its `Debug` is its message, so that `unwrap` in a test says what is the matter.
#[derive(Clone)]
pub struct BrowserError(String);

impl BrowserError {
    fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for BrowserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BrowserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BrowserError {}
