//! A folder for the files of a server or a browser.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use cache_core::random_u64;

/// A folder of its own below the system's folder for temporary files, removed on drop.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes one. The name is short, because a socket's path may not be long.
    pub(crate) fn new() -> Result<Self, String> {
        let path = env::temp_dir().join(format!("cache-test-{:016x}", random_u64()));
        fs::create_dir(&path).map_err(|error| format!("{} cannot be made: {error}", path.display()))?;
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.path));
    }
}
