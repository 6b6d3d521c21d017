//! A folder for a server's files.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use cache_core::random_u64;

/// A folder of its own below the system's folder for temporary files, removed on drop.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes one. The name is short, because a socket's path may not be long.
    pub(super) fn new() -> Result<Self, String> {
        let path = env::temp_dir().join(format!("cache-test-{:016x}", random_u64()));
        fs::create_dir(&path).map_err(|error| format!("{} cannot be made: {error}", path.display()))?;
        Ok(Self { path })
    }

    /// Lets every user write in it: a server in a container may be another one.
    pub(super) fn open_to_all(self) -> Result<Self, String> {
        fs::set_permissions(&self.path, fs::Permissions::from_mode(0o777))
            .map_err(|error| format!("{} cannot be opened: {error}", self.path.display()))?;
        Ok(self)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.path));
    }
}
