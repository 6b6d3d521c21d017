//! What the cache saved.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;

use crate::answer::Usage;
use crate::price::PriceTable;

/// The most lines. What is too much goes to one line for all others.
const MOST_LINES: usize = 10_000;
const OTHERS: &str = "(others)";

/// What was spent on answers and saved by the cache, by operation, model and tenant.
///
/// A hit saves what its answer had cost, in tokens, money and time; joining the generation of another saves as well. Only
/// what a model was really asked for is spent, whether its caller got it or not. It counts what this process did since the cache was built.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Ledger {
    /// The currency of the price table.
    pub currency: String,
    /// All lines together.
    pub total: Sums,
    /// By operation, model and tenant; the largest savings of money first, then of calls. 10 000 are told apart; what is beyond is
    /// one line called `(others)` in all.
    pub lines: Vec<LedgerLine>,
}

/// A line of the ledger.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LedgerLine {
    /// The operation.
    pub operation: String,
    /// The model, if requests said one.
    pub model: Option<String>,
    /// The tenant, `~shared` for all.
    pub tenant: String,
    /// What was saved and spent.
    #[serde(flatten)]
    pub sums: Sums,
}

/// What was saved and spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Sums {
    /// Answers that no model had to give.
    pub calls_saved: u64,
    /// Tokens that did not go in.
    pub input_tokens_saved: u64,
    /// Tokens that did not come out.
    pub output_tokens_saved: u64,
    /// Money that was not spent, in the ledger's currency, as far as the price table knows the model.
    pub money_saved: f64,
    /// Time that was not waited for a model, in milliseconds.
    pub milliseconds_saved: u64,
    /// Answers that a model gave.
    pub calls_made: u64,
    /// Tokens that went in.
    pub input_tokens_spent: u64,
    /// Tokens that came out.
    pub output_tokens_spent: u64,
    /// Money that was spent, in the ledger's currency, as far as the price table knows the model.
    pub money_spent: f64,
}

impl Sums {
    /// Adds those of another line.
    pub fn add(&mut self, other: &Self) {
        add(&mut self.calls_saved, other.calls_saved);
        add(&mut self.input_tokens_saved, other.input_tokens_saved);
        add(&mut self.output_tokens_saved, other.output_tokens_saved);
        self.money_saved += other.money_saved;
        add(&mut self.milliseconds_saved, other.milliseconds_saved);
        add(&mut self.calls_made, other.calls_made);
        add(&mut self.input_tokens_spent, other.input_tokens_spent);
        add(&mut self.output_tokens_spent, other.output_tokens_spent);
        self.money_spent += other.money_spent;
    }
}

/// What a model says that it used is not to be believed.
fn add(sum: &mut u64, more: u64) {
    *sum = sum.saturating_add(more);
}

/// Who a line is about.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct About<'a> {
    pub(crate) operation: &'a str,
    pub(crate) model: Option<&'a str>,
    pub(crate) tenant: &'a str,
}

/// The lines, while they are written.
#[derive(Debug, Default)]
pub(crate) struct Books {
    prices: PriceTable,
    hasher: RandomState,
    lines: Mutex<Lines>,
}

/// By the hash of whom they are about: a hit takes as long with many lines as with one, and allocates nothing.
#[derive(Debug, Default)]
struct Lines {
    count: usize,
    by_hash: HashMap<u64, Vec<LedgerLine>>,
}

impl Lines {
    fn find(&mut self, hash: u64, about: About<'_>) -> Option<&mut LedgerLine> {
        let is_it = |line: &&mut LedgerLine| {
            line.operation == about.operation
                && line.tenant == about.tenant
                && line.model.as_deref() == about.model
        };
        self.by_hash.get_mut(&hash)?.iter_mut().find(is_it)
    }
}

impl Books {
    pub(crate) fn new(prices: PriceTable) -> Self {
        Self { prices, ..Self::default() }
    }

    /// A model did not have to be asked.
    pub(crate) fn saved(&self, about: About<'_>, usage: Usage, time: Duration) {
        let money = self.cost(about, usage);
        self.write(about, |sums| {
            add(&mut sums.calls_saved, 1);
            add(&mut sums.input_tokens_saved, usage.input);
            add(&mut sums.output_tokens_saved, usage.output);
            sums.money_saved += money;
            add(&mut sums.milliseconds_saved, u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        });
    }

    /// A model was asked.
    pub(crate) fn spent(&self, about: About<'_>, usage: Usage) {
        let money = self.cost(about, usage);
        self.write(about, |sums| {
            add(&mut sums.calls_made, 1);
            add(&mut sums.input_tokens_spent, usage.input);
            add(&mut sums.output_tokens_spent, usage.output);
            sums.money_spent += money;
        });
    }

    /// What so much of a model costs; nothing if the price table does not say.
    pub(crate) fn cost(&self, about: About<'_>, usage: Usage) -> f64 {
        about.model.and_then(|model| self.prices.cost(model, usage)).unwrap_or_default()
    }

    fn write(&self, about: About<'_>, change: impl FnOnce(&mut Sums)) {
        let mut lines = self.lines.lock();
        let hash = self.hasher.hash_one(about);
        if let Some(line) = lines.find(hash, about) {
            return change(&mut line.sums);
        }
        let (hash, about) = if lines.count < MOST_LINES {
            (hash, about)
        } else {
            let others = About { operation: OTHERS, model: None, tenant: OTHERS };
            (self.hasher.hash_one(others), others)
        };
        if let Some(line) = lines.find(hash, about) {
            return change(&mut line.sums);
        }
        let mut sums = Sums::default();
        change(&mut sums);
        lines.count += 1;
        lines.by_hash.entry(hash).or_default().push(LedgerLine {
            operation: about.operation.to_owned(),
            model: about.model.map(str::to_owned),
            tenant: about.tenant.to_owned(),
            sums,
        });
    }

    pub(crate) fn ledger(&self) -> Ledger {
        let mut lines: Vec<LedgerLine> = self.lines.lock().by_hash.values().flatten().cloned().collect();
        lines.sort_by(|a, b| {
            let by_money = b.sums.money_saved.total_cmp(&a.sums.money_saved);
            by_money
                .then(b.sums.calls_saved.cmp(&a.sums.calls_saved))
                .then_with(|| (&a.operation, &a.model, &a.tenant).cmp(&(&b.operation, &b.model, &b.tenant)))
        });
        let mut total = Sums::default();
        lines.iter().for_each(|line| total.add(&line.sums));
        Ledger { currency: self.prices.currency.clone(), total, lines }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_as_fast_among_many_as_alone_and_there_are_not_too_many() {
        let books = Books::new(PriceTable::default());
        let tenants: Vec<String> = (0..MOST_LINES + 500).map(|n| format!("tenant-{n}")).collect();
        for _ in 0..2 {
            for tenant in &tenants {
                let about = About { operation: "qa", model: Some("m"), tenant };
                books.saved(about, Usage::new(1, 0), Duration::ZERO);
            }
        }
        let longest = books.lines.lock().by_hash.values().map(Vec::len).max();
        assert!(longest <= Some(2), "{longest:?} lines have to be looked through");
        let ledger = books.ledger();
        assert_eq!(ledger.lines.len(), MOST_LINES + 1);
        assert_eq!(ledger.total.calls_saved, 2 * tenants.len() as u64);
        let others = ledger.lines.iter().find(|line| line.tenant == OTHERS).map(|line| line.sums.calls_saved);
        assert_eq!(others, Some(1000));
    }

    #[test]
    fn lines_are_told_apart_by_each_part() {
        let books = Books::new(PriceTable::default());
        let parts = [
            ("a", Some("b"), "c"),
            ("a", None, "c"),
            ("a", Some(""), "c"),
            ("ab", None, "c"),
            ("a", None, "bc"),
        ];
        for (operation, model, tenant) in parts {
            books.spent(About { operation, model, tenant }, Usage::new(1, 0));
        }
        assert_eq!(books.ledger().lines.len(), parts.len());
    }
}
