//! Everything that is stored, for counting and for export.

use std::collections::BTreeSet;

use cache_core::{Error, Namespace};

use crate::cache::AiCache;
use crate::entry::Entry;
use crate::wire::Chat;

/// A stored answer of any type, as JSON.
pub(crate) type AnyEntry = Entry<Chat>;

/// Answers that are read at a time.
const BATCH: usize = 128;

impl AiCache {
    /// Shows every answer that is stored and fresh.
    pub(crate) async fn each_stored(&self, mut visit: impl FnMut(&str, &AnyEntry)) -> Result<(), Error> {
        let names: Vec<String> = self.names().await?.into_iter().collect();
        for names in names.chunks(BATCH) {
            let entries = self.shared.cache.get_many::<AnyEntry>(names).await?;
            for (name, entry) in names.iter().zip(entries) {
                if let Some(entry) = entry {
                    visit(name, &entry);
                }
            }
        }
        Ok(())
    }

    async fn names(&self) -> Result<BTreeSet<String>, Error> {
        /// Keys that the store looks at for one answer.
        const PAGE: usize = 512;
        let mut names = BTreeSet::new();
        let namespace = self.shared.cache.namespace().clone();
        if let Some(store) = self.shared.store.as_ref().filter(|store| store.capability().scan) {
            let mut cursor = Some(0);
            while let Some(at) = cursor {
                let page = store.scan(&namespace, at, PAGE).await?;
                names.extend(page.keys.iter().filter_map(|key| ours(&namespace, key)));
                cursor = page.next;
            }
        }
        if let Some(local) = &self.shared.local {
            local.for_each(self.shared.timer.now(), &mut |key, _| {
                if key.starts_with("ai:") {
                    names.insert(key.to_owned());
                }
            });
        }
        Ok(names)
    }
}

fn ours(namespace: &Namespace, full: &str) -> Option<String> {
    namespace.strip(full.as_bytes()).filter(|key| key.starts_with("ai:")).map(str::to_owned)
}
