//! Tier 1 switched off.

use cache_core::{Fill, FillToken, Filled, LocalEntry, LocalTier, LocalUsage, Moment, Value, Version};

/// A tier 1 that holds nothing: every read goes to the store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoLocalTier;

impl LocalTier for NoLocalTier {
    fn get_fresh(&self, _: u64, _: &str, _: Moment, _: u64) -> Option<Value> {
        None
    }

    fn get(&self, _: u64, _: &str, _: Moment) -> Option<LocalEntry> {
        None
    }

    fn token(&self, _: u64) -> FillToken {
        FillToken { generation: 0, epoch: 0 }
    }

    fn insert(&self, _: u64, _: &str, _: LocalEntry, _: Fill) -> Filled {
        Filled::TooLarge
    }

    fn replace_value(&self, _: u64, _: &str, _: &Version, _: Value) {}

    fn vouch(&self, _: u64, _: &str, _: &Version, _: u64) {}

    fn expire(&self, _: u64, _: &str, _: Moment) -> bool {
        false
    }

    fn remove(&self, _: u64, _: &str) -> bool {
        false
    }

    fn retire(&self) -> u64 {
        0
    }

    fn for_each(&self, _: Moment, _: &mut dyn FnMut(&str, &LocalEntry)) {}

    fn usage(&self) -> LocalUsage {
        LocalUsage::default()
    }
}
