//! Everything that is stored, for counting and for export.

use std::collections::BTreeMap;

use cache_core::{Error, ErrorKind, Status};
use futures_util::future::join_all;
use serde::Serialize;

use crate::cache::AiCache;
use crate::entry::{Entry, Head};
use crate::wire::Chat;

/// A stored answer of any type, as JSON.
pub(crate) type AnyEntry = Entry<Chat>;

/// The stored answers of one operation, model and tenant, and what it took to generate them: what one hit of each would spare.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StoredAnswers {
    /// The operation.
    pub operation: String,
    /// The model, if requests named one.
    pub model: Option<String>,
    /// The tenant, as statistics name it.
    pub tenant: String,
    /// How many there are.
    pub answers: u64,
    /// Tokens that went in.
    pub input_tokens: u64,
    /// Tokens that came out.
    pub output_tokens: u64,
    /// How long the model took for all of them together, in milliseconds.
    pub milliseconds: u64,
}

/// Answers that are read at a time.
const BATCH: usize = 128;

impl AiCache {
    /// Shows every answer that is stored and fresh, and fails rather than leave one out that the store did not give.
    pub(crate) async fn each_stored(&self, mut visit: impl FnMut(&str, &AnyEntry)) -> Result<(), Error> {
        let names = self.shared.cache.keys("ai:*").await?;
        for names in names.chunks(BATCH) {
            let reads = names.iter().map(|name| self.shared.cache.get_with_receipt::<AnyEntry>(name));
            for (name, read) in names.iter().zip(join_all(reads).await) {
                match read? {
                    (Some(entry), _) => visit(name, &entry),
                    (None, receipt) if receipt.status == Status::StoreUnavailable => {
                        return Err(Error::new(
                            ErrorKind::Unavailable,
                            "the store did not give every answer",
                        ));
                    }
                    (None, _) => {}
                }
            }
        }
        Ok(())
    }

    /// What is stored and fresh, by operation, model and tenant, the most answers first. Looks at every stored answer. What was
    /// saved so far only the processes know that answered: see [`ledger`](Self::ledger).
    ///
    /// # Errors
    /// As [`count`](Self::count).
    pub async fn stored_answers(&self) -> Result<Vec<StoredAnswers>, Error> {
        let mut all: BTreeMap<_, StoredAnswers> = BTreeMap::new();
        self.each_stored(|_, entry| {
            let Head { operation, model, tenant, usage, took_ms, .. } = &entry.head;
            let key = (operation.clone(), model.clone(), tenant.clone());
            let line = all.entry(key).or_insert_with(|| StoredAnswers {
                operation: operation.clone(),
                model: model.clone(),
                tenant: tenant.clone(),
                answers: 0,
                input_tokens: 0,
                output_tokens: 0,
                milliseconds: 0,
            });
            line.answers += 1;
            line.input_tokens = line.input_tokens.saturating_add(usage.input);
            line.output_tokens = line.output_tokens.saturating_add(usage.output);
            line.milliseconds = line.milliseconds.saturating_add(*took_ms);
        })
        .await?;
        let mut lines: Vec<StoredAnswers> = all.into_values().collect();
        lines.sort_by_key(|line| std::cmp::Reverse(line.answers));
        Ok(lines)
    }
}
