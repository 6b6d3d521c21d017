//! Everything that is stored, for counting and for export.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use cache_core::{Error, ErrorKind, Status};
use futures_util::{StreamExt, stream};
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

/// Answers that are read at a time. Fewer than the failures that open the breaker: those who are being answered go on.
const AT_A_TIME: usize = 4;

impl AiCache {
    /// Shows every answer that is stored and fresh, and how much longer it is. Fails rather than leave one out that the store did
    /// not give. How many cannot be shown as JSON is returned.
    pub(crate) async fn each_stored(
        &self,
        mut visit: impl FnMut(&str, &AnyEntry, Duration),
    ) -> Result<u64, Error> {
        let cache = self.cache();
        let names = cache.keys("ai:*").await?;
        let read = |name: String| async move { (cache.get_with_receipt::<AnyEntry>(&name).await, name) };
        let mut reads = pin!(stream::iter(names).map(read).buffered(AT_A_TIME));
        let mut left_out = 0;
        while let Some((read, name)) = reads.next().await {
            let (entry, receipt) = read?;
            match entry {
                Some(entry) => visit(&name, &entry, receipt.fresh_for.unwrap_or_default()),
                None if receipt.status == Status::StoreUnavailable => {
                    return Err(Error::new(ErrorKind::Unavailable, "the store did not give every answer"));
                }
                None => left_out += u64::from(receipt.status == Status::Refused),
            }
        }
        Ok(left_out)
    }

    /// What is stored and fresh, by operation, model and tenant, the most answers first. Looks at every stored answer. What was
    /// saved so far only the processes know that answered: see [`ledger`](Self::ledger).
    ///
    /// # Errors
    /// As [`count`](Self::count).
    pub async fn stored_answers(&self) -> Result<Vec<StoredAnswers>, Error> {
        let mut all: BTreeMap<_, StoredAnswers> = BTreeMap::new();
        self.each_stored(|_, entry, _| {
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
