//! What an entry takes beside its key and value.

use serde_json::{Value, json};

use super::calls::{Bytes, body, name};
use crate::contender::{Contender, Name};
use crate::contenders::floors::{Dash, Plain};
use crate::contenders::foyer::{FoyerLfu, FoyerS3Fifo};
use crate::contenders::moka::{MiniMoka, Moka};
use crate::contenders::ours::Ours;
use crate::contenders::quick_cache::QuickCache;
use crate::contenders::sharded_lru::ShardedLru;
use crate::contenders::tiny_ufo::TinyUfo;

/// As it is called in reports.
pub const NAME: &str = "overhead";
/// Entries.
pub const CAPACITY: u64 = 100_000;
/// Capacities that are inserted after the cache is full.
const CHURN: u64 = 5;
/// Bytes of a value.
const BODY: usize = 256;

/// Measures everybody, one after the other. `allocated` tells the bytes that the program holds at the moment, as they
/// were asked for; the counting allocator is the program's.
pub fn measure(allocated: &dyn Fn() -> usize) -> Vec<Value> {
    vec![
        bounded::<Ours<_, _>>(allocated),
        bounded::<QuickCache<_, _>>(allocated),
        bounded::<TinyUfo<_, _>>(allocated),
        bounded::<Moka<_, _>>(allocated),
        bounded::<MiniMoka<_, _>>(allocated),
        bounded::<FoyerS3Fifo<_, _>>(allocated),
        bounded::<FoyerLfu<_, _>>(allocated),
        bounded::<ShardedLru<_, _>>(allocated),
        unbounded::<Dash<_, _>>(allocated),
        unbounded::<Plain<_, _>>(allocated),
    ]
}

/// A table for people.
pub fn table(lines: &[Value]) -> String {
    let mut text = format!(
        "{NAME}, bytes an entry beside the key's text and the value's {BODY} bytes, {CAPACITY} entries\n"
    );
    text += "  crate             filled    churned\n";
    for line in lines {
        let number = |name: &str| line[name].as_f64().map_or("-".into(), |bytes| format!("{bytes:.1}"));
        text += &format!(
            "  {:<14} {:>9} {:>10}\n",
            line["crate"].as_str().unwrap_or(""),
            number("filled_bytes"),
            number("churned_bytes")
        );
    }
    text
}

fn bounded<C: Contender<Name, Bytes>>(allocated: &dyn Fn() -> usize) -> Value {
    let before = allocated();
    let contender = C::with_capacity(CAPACITY as usize);
    insert(&contender, 0..CAPACITY);
    let filled = held(&contender, CAPACITY).overhead(allocated() - before);
    insert(&contender, CAPACITY..(1 + CHURN) * CAPACITY);
    let churned = held(&contender, (1 + CHURN) * CAPACITY).overhead(allocated() - before);
    line::<C>(filled, Some(churned))
}

fn unbounded<C: Contender<Name, Bytes>>(allocated: &dyn Fn() -> usize) -> Value {
    let before = allocated();
    let contender = C::with_capacity(CAPACITY as usize);
    insert(&contender, 0..CAPACITY);
    line::<C>(held(&contender, CAPACITY).overhead(allocated() - before), None)
}

fn insert<C: Contender<Name, Bytes>>(contender: &C, keys: std::ops::Range<u64>) {
    for key in keys {
        contender.insert(name(key), body());
        if key % 64 == 0 {
            contender.settle();
        }
    }
    contender.settle();
}

/// What is in a cache.
#[derive(Clone, Copy)]
struct Held {
    entries: usize,
    /// Texts of the keys and contents of the values.
    bytes: usize,
}

impl Held {
    /// Bytes an entry that are neither.
    fn overhead(self, allocated: usize) -> (usize, f64) {
        let over = allocated as f64 - self.bytes as f64;
        (self.entries, (over / self.entries.max(1) as f64 * 10.0).round() / 10.0)
    }
}

/// Asks for all keys below `end`.
fn held<C: Contender<Name, Bytes>>(contender: &C, end: u64) -> Held {
    let mut held = Held { entries: 0, bytes: 0 };
    for key in 0..end {
        let name = name(key);
        if contender.see(&name, |_| ()).is_some() {
            held.entries += 1;
            held.bytes += name.len() + BODY;
        }
    }
    contender.settle();
    held
}

fn line<C: Contender<Name, Bytes>>(filled: (usize, f64), churned: Option<(usize, f64)>) -> Value {
    let mut line = json!({
        "bench": NAME, "crate": C::NAME, "capacity": CAPACITY,
        "filled_entries": filled.0, "filled_bytes": filled.1,
    });
    if let Some((entries, bytes)) = churned {
        line["churned_entries"] = entries.into();
        line["churned_bytes"] = bytes.into();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overhead_is_what_is_neither_key_nor_value() {
        let held = Held { entries: 10, bytes: 10 * (20 + 256) };
        assert_eq!(held.overhead(10 * (20 + 256 + 75)), (10, 75.0));
    }
}
