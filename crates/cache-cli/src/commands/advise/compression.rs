//! What each level of compression makes of the values, measured.

use std::time::{Duration, Instant};

use cache_codec::{Compression, Header, Looked, look, seal};
use cache_core::{Error, Format, Key, Stamp, Version, VersionSource};
use serde::Serialize;

use crate::shown::{part, size};

/// The levels that are tried: LZ4, and zstd at its lightest and at the one for production.
const LEVELS: &[(u8, &str)] = &[(1, "lz4"), (4, "zstd"), (8, "zstd")];
/// Values longer than each of these are a class, in bytes.
const CLASSES: &[usize] = &[0, 200, 500, 1000, 2000, 5000, 10_000, 100_000];
/// Saving less than this part of the bytes is not worth the work.
const WORTH: f64 = 0.2;
/// A heavier level has to save this much more of the bytes.
const MORE: f64 = 0.1;
/// And take less than this for a value.
const LIGHT: Duration = Duration::from_millis(1);

/// A level, and what it did.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Measured {
    pub(super) level: u8,
    pub(super) method: &'static str,
    pub(super) plain_bytes: u64,
    pub(super) packed_bytes: u64,
    pub(super) nanos_a_value: u64,
}

#[derive(Debug)]
pub(super) struct Trial {
    version: Version,
    values: u64,
    /// By level, then by class: plain and packed.
    sums: [[(u64, u64); CLASSES.len()]; LEVELS.len()],
    times: [Duration; LEVELS.len()],
}

impl Default for Trial {
    fn default() -> Self {
        Self {
            version: VersionSource::new().value(),
            values: 0,
            sums: Default::default(),
            times: Default::default(),
        }
    }
}

impl Trial {
    /// Compresses a value at each level.
    pub(super) fn add(&mut self, key: &Key, plain: &[u8]) -> Result<(), Error> {
        let header = Header {
            version: self.version,
            format: Format::Msgpack,
            fresh: Duration::from_secs(1),
            total: Duration::from_secs(1),
            cost: Duration::ZERO,
            stamp: Stamp::default(),
            tags: None,
            schema: None,
            created_unix_ms: 0,
        };
        self.values += 1;
        let class = CLASSES.iter().rposition(|least| plain.len() > *least).unwrap_or_default();
        for (at, (level, _)) in LEVELS.iter().enumerate() {
            let compression = Compression::new(0, *level)?;
            let began = Instant::now();
            let stored = seal(&header, key, plain, &compression)?;
            self.times[at] += began.elapsed();
            let packed = match look(&stored, key) {
                Ok(Looked::Value(_, packing)) => packing.packed,
                _ => plain.len(),
            };
            let (all, all_packed) = &mut self.sums[at][class];
            *all += plain.len() as u64;
            *all_packed += packed as u64;
        }
        Ok(())
    }

    pub(super) fn values(&self) -> u64 {
        self.values
    }

    pub(super) fn measured(&self) -> Vec<Measured> {
        (0..LEVELS.len()).map(|at| self.of(at)).collect()
    }

    fn of(&self, at: usize) -> Measured {
        let (plain_bytes, packed_bytes) = sum(&self.sums[at]);
        let nanos = u64::try_from(self.times[at].as_nanos()).unwrap_or(u64::MAX);
        let (level, method) = LEVELS[at];
        Measured { level, method, plain_bytes, packed_bytes, nanos_a_value: nanos / self.values.max(1) }
    }

    pub(super) fn advice(&self) -> String {
        if self.values == 0 {
            return "no value could be measured".into();
        }
        let chosen = choose(&self.measured());
        let classes = &self.sums[chosen];
        // The shortest class that is worth it by itself, with all that are longer.
        let is_worth = |classes: &[(u64, u64)]| saved(sum(classes)) >= WORTH;
        let worth = (0..CLASSES.len())
            .find(|class| is_worth(&classes[*class..=*class]) && is_worth(&classes[*class..]));
        let (level, method) = LEVELS[chosen];
        match worth {
            None => {
                let (plain, packed) = sum(classes);
                let saved = part(plain.saturating_sub(packed), plain);
                format!(
                    "it saves {saved} ({method}) and is not worth it: a threshold above the values spares the work"
                )
            }
            Some(class) => {
                let (plain, packed) = sum(&classes[class..]);
                let least = CLASSES[class];
                format!(
                    "compression_level = {level} ({method}) and compression_threshold = {least} save {} of {} ({})",
                    size(plain.saturating_sub(packed)),
                    size(plain),
                    part(plain.saturating_sub(packed), plain)
                )
            }
        }
    }
}

/// The lightest level that no heavier one beats by enough.
fn choose(measured: &[Measured]) -> usize {
    let mut chosen = 0;
    for (at, it) in measured.iter().enumerate().skip(1) {
        let more = saved((it.plain_bytes, it.packed_bytes))
            - saved((measured[chosen].plain_bytes, measured[chosen].packed_bytes));
        if more >= MORE && Duration::from_nanos(it.nanos_a_value) < LIGHT {
            chosen = at;
        }
    }
    chosen
}

fn sum(classes: &[(u64, u64)]) -> (u64, u64) {
    classes.iter().fold((0, 0), |(a, b), (plain, packed)| (a + plain, b + packed))
}

/// 0 to 1.
#[expect(clippy::cast_precision_loss, reason = "a ratio")]
fn saved((plain, packed): (u64, u64)) -> f64 {
    if plain == 0 { 0.0 } else { 1.0 - packed as f64 / plain as f64 }
}

#[cfg(test)]
mod tests {
    use cache_core::Namespace;

    use super::*;

    fn trial(values: &[Vec<u8>]) -> Trial {
        let key = Namespace::new("app").unwrap().key("k").unwrap();
        let mut trial = Trial::default();
        values.iter().for_each(|value| trial.add(&key, value).unwrap());
        trial
    }

    #[test]
    fn text_is_worth_compressing_from_where_it_repeats_and_noise_is_not() {
        let mut state = 1_u64;
        let noise: Vec<u8> = (0..50_000)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 56).to_le_bytes()[0]
            })
            .collect();
        let noise = trial(&[noise]);
        assert!(noise.advice().contains("is not worth it"), "{}", noise.advice());
        let text = trial(&[b"again and ".repeat(300), b"short".to_vec()]);
        assert!(text.advice().contains("compression_threshold = 2000"), "{}", text.advice());
        assert_eq!(text.measured()[0].plain_bytes, 3005);
        assert_eq!(trial(&[]).advice(), "no value could be measured");
    }

    #[test]
    fn a_heavier_level_has_to_save_more_and_be_light() {
        let at = |packed_bytes, nanos_a_value| Measured {
            plain_bytes: 100,
            packed_bytes,
            nanos_a_value,
            ..Measured::default()
        };
        assert_eq!(choose(&[at(50, 1), at(45, 1), at(44, 1)]), 0);
        assert_eq!(choose(&[at(50, 1), at(30, 1), at(25, 1)]), 1);
        assert_eq!(choose(&[at(50, 1), at(20, 2_000_000), at(50, 1)]), 0);
    }
}
