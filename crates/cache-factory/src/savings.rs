//! What a monitor shows of an AI cache.

use cache_ai::{Ledger, Sums};
use serde::Serialize;

/// So many lines are shown.
const MOST: usize = 12;

/// What was saved, by operation and model. Tenants are people's names, and a page is no place for them.
#[derive(Debug, Serialize)]
pub(crate) struct Savings {
    currency: String,
    total: Sums,
    operations: Vec<Line>,
    /// Lines that there is no room for.
    others: usize,
}

#[derive(Debug, Serialize)]
struct Line {
    operation: String,
    model: Option<String>,
    #[serde(flatten)]
    sums: Sums,
}

impl Savings {
    pub(crate) fn of(ledger: &Ledger) -> Self {
        let mut operations: Vec<Line> = Vec::new();
        for line in &ledger.lines {
            let same =
                operations.iter_mut().find(|it| it.operation == line.operation && it.model == line.model);
            match same {
                Some(same) => same.sums.add(&line.sums),
                None => operations.push(Line {
                    operation: line.operation.clone(),
                    model: line.model.clone(),
                    sums: line.sums,
                }),
            }
        }
        operations.sort_by(|a, b| {
            let by_money = b.sums.money_saved.total_cmp(&a.sums.money_saved);
            by_money.then(b.sums.calls_saved.cmp(&a.sums.calls_saved))
        });
        let others = operations.len().saturating_sub(MOST);
        operations.truncate(MOST);
        Self { currency: ledger.currency.clone(), total: ledger.total, operations, others }
    }
}
