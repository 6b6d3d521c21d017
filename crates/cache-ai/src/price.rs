//! What models cost, as the user says.

use std::collections::BTreeMap;

use cache_core::Problems;
use serde::{Deserialize, Serialize};

use crate::answer::Usage;

/// Prices by model. A part of your configuration: it is read and written by serde.
///
/// ```
/// use cache_ai::{Price, PriceTable, Usage};
///
/// let table: PriceTable = serde_json::from_str(r#"{
///     "currency": "USD",
///     "models": {"gpt-4o": {"input_per_million": 2.5, "output_per_million": 10.0}}
/// }"#).unwrap();
/// assert_eq!(table.cost("gpt-4o", Usage::new(1_000_000, 100_000)), Some(3.5));
/// assert_eq!(table.cost("unknown", Usage::new(1, 1)), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct PriceTable {
    /// The name of the currency, for display.
    pub currency: String,
    /// Prices by the model's name as requests have it. `*` stands for all others.
    pub models: BTreeMap<String, Price>,
}

/// The price of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Price {
    /// Of a million tokens that go in, in the table's currency: 0 to a million.
    pub input_per_million: f64,
    /// Of a million tokens that come out, in the table's currency: 0 to a million.
    pub output_per_million: f64,
}

/// The highest price that is allowed. Sums of it stay numbers whatever a model says that it used.
const MOST: f64 = 1e6;

impl PriceTable {
    /// An empty table in this currency.
    pub fn new(currency: impl Into<String>) -> Self {
        Self { currency: currency.into(), ..Self::default() }
    }

    /// Adds a model, or changes its prices: of a million tokens that go in, and of a million that come out, 0 to a million. They are
    /// checked when the cache is built.
    #[must_use]
    pub fn model(mut self, name: impl Into<String>, input_per_million: f64, output_per_million: f64) -> Self {
        self.models.insert(name.into(), Price { input_per_million, output_per_million });
        self
    }

    pub(crate) fn check(&self, problems: &mut Problems) {
        for (model, price) in &self.models {
            for of in [price.input_per_million, price.output_per_million] {
                problems.check((0.0..=MOST).contains(&of), || {
                    format!("the price of `{model}` is {of} a million tokens, 0 to {MOST} are allowed")
                });
            }
        }
    }

    /// What so many tokens of a model cost, in the table's currency, or `None` if the table does not say.
    pub fn cost(&self, model: &str, usage: Usage) -> Option<f64> {
        let price = self.models.get(model).or_else(|| self.models.get("*"))?;
        let part = |tokens: u64, price: f64| tokens as f64 / 1e6 * price;
        Some(part(usage.input, price.input_per_million) + part(usage.output, price.output_per_million))
    }
}
