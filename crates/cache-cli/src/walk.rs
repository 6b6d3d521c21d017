//! Goes through the keys of the cache.

use std::collections::BTreeSet;

use cache_core::{Error, Key, Store};
use indicatif::ProgressBar;

use crate::entry::Entry;
use crate::target::Target;

/// Keys that the server looks at for one answer.
const PAGE: usize = 512;
/// Values that are asked for at once.
const BATCH: usize = 64;

/// Keys without the namespace, in order, each once.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    pub(crate) found: Vec<String>,
    /// Those that no cache can have made: they are not UTF-8, or longer than a key may be.
    pub(crate) foreign: Vec<Vec<u8>>,
    /// Whether there are more than were to be looked for.
    pub(crate) more: bool,
}

impl Keys {
    /// At most `limit` keys that match the pattern.
    pub(crate) async fn matching(
        target: &Target,
        pattern: &str,
        limit: u64,
        bar: &ProgressBar,
    ) -> Result<Self, Error> {
        let prefix = target.namespace().prefix();
        let full = format!("{prefix}{pattern}");
        let (server, mut seen, mut keys) = (target.server(), BTreeSet::new(), Self::default());
        let mut cursor = Some(0);
        while let Some(at) = cursor {
            let page = server.scan(full.as_bytes(), at, PAGE).await?;
            for key in page.keys {
                let Some(user) = key.strip_prefix(prefix.as_bytes()) else { continue };
                // The prefix alone, and what follows it with this byte, are the cache's own.
                if user.is_empty() || user[0] == 0xff {
                    continue;
                }
                if seen.len() as u64 == limit && !seen.contains(user) {
                    keys.more = true;
                    break;
                }
                seen.insert(user.to_vec());
            }
            bar.set_position(seen.len() as u64);
            cursor = page.next.filter(|_| !keys.more);
        }
        for user in seen {
            match String::from_utf8(user) {
                Ok(user) if target.key(&user).is_ok() => keys.found.push(user),
                Ok(user) => keys.foreign.push(user.into_bytes()),
                Err(error) => keys.foreign.push(error.into_bytes()),
            }
        }
        Ok(keys)
    }

    /// Shows what is stored under each of the keys that were found.
    pub(crate) async fn each(
        &self,
        target: &Target,
        bar: &ProgressBar,
        mut visit: impl FnMut(&Key, Entry),
    ) -> Result<(), Error> {
        bar.set_length(self.found.len() as u64);
        bar.reset();
        for batch in self.found.chunks(BATCH) {
            let keys = batch.iter().map(|user| target.key(user)).collect::<Result<Vec<_>, _>>()?;
            let answers =
                target.store().get_many(&keys).await.into_iter().map(|read| read.map(|read| read.found));
            // Some may be gone by now.
            for (key, entry) in Entry::all(target, keys.iter().zip(answers)).await? {
                visit(key, entry);
            }
            bar.inc(keys.len() as u64);
        }
        Ok(())
    }
}
