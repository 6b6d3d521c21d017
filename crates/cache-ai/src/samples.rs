//! Which of several answers to one request is served.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::digest::Digest;
use crate::operation::Repeat;

/// Requests that share a slot take turns together, which gives each its answers all the same.
const SLOTS: usize = 1024;

/// Whose turn it is, by request.
#[derive(Debug)]
pub(crate) struct Turns(Box<[AtomicU32]>);

impl Default for Turns {
    fn default() -> Self {
        Self((0..SLOTS).map(|_| AtomicU32::new(0)).collect())
    }
}

impl Turns {
    /// The number of the sample to serve; 0 where there is one answer only.
    pub(crate) fn pick(&self, repeat: Repeat, digest: &Digest, seed: Option<u64>) -> u32 {
        let Repeat::Samples(samples) = repeat else { return 0 };
        let samples = samples.max(1);
        if let Some(seed) = seed {
            return u32::try_from(seed % u64::from(samples)).unwrap_or_default();
        }
        #[allow(clippy::cast_possible_truncation, reason = "any bits will do")]
        let slot = &self.0[digest.bits() as usize % SLOTS];
        slot.fetch_add(1, Ordering::Relaxed) % samples
    }
}

/// The storage name of a sample.
pub(crate) fn name_of(name: &str, sample: u32) -> String {
    if sample == 0 { name.to_owned() } else { format!("{name}.{sample}") }
}
