//! One at a time, over all threads and processes of this machine.

use std::env;
use std::fs::File;

use rustix::fs::{FlockOperation, flock};

/// Holds the lock of this name for as long as it lives. Waits for whoever has it.
///
/// It only saves work that two would do at once, and both would do right. So where there can be no lock, it is none.
#[derive(Debug)]
pub(super) struct Lock {
    _file: Option<File>,
}

impl Lock {
    pub(super) fn take(name: &str) -> Self {
        let file = File::create(env::temp_dir().join(format!("cache-test-{name}.lock"))).ok();
        Self { _file: file.filter(|file| flock(file, FlockOperation::LockExclusive).is_ok()) }
    }
}
