//! From what was chosen and what the preset says to what is built: a pure function that finds all that is wrong.

use cache_core::{Error, Namespace, Problems, Ttl};
use cache_tiered::{Compression, Settings};

use crate::presets::{self, Preset};
use crate::setup::Chosen;

/// What is to be built.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) namespace: Namespace,
    pub(crate) settings: Settings,
    /// `None` if tier 1 is off.
    pub(crate) tier1: Option<Size>,
}

/// How much tier 1 may hold.
#[derive(Debug)]
pub(crate) struct Size {
    pub(crate) entries: usize,
    pub(crate) bytes: u64,
}

/// # Errors
/// [`Configuration`](cache_core::ErrorKind::Configuration) that lists all that is wrong.
pub(crate) fn resolve(preset: &Preset, chosen: &Chosen) -> Result<Plan, Error> {
    let mut problems = Problems::default();
    problems.check(!(chosen.memory_only && chosen.store.is_some()), || {
        "memory_only and store contradict each other: leave out one of them".to_owned()
    });
    let settings = settings(preset, chosen, &mut problems);
    let tier1 = tier1(preset, chosen, &mut problems);
    let namespace = Namespace::new(chosen.namespace.as_deref().unwrap_or(preset.namespace));
    if let Err(error) = &namespace {
        problems.add(error.message());
    }
    problems.configuration()?;
    Ok(Plan { namespace: namespace?, settings, tier1 })
}

fn settings(preset: &Preset, chosen: &Chosen, problems: &mut Problems) -> Settings {
    let default_ttl = chosen.default_ttl.unwrap_or(preset.default_ttl);
    if let Err(error) = Ttl::new(default_ttl) {
        problems.add(format!("default_ttl: {}", error.message()));
    }
    let mut settings = Settings::default();
    settings.default_ttl = Ttl::clamped(default_ttl);
    settings.stale_for = chosen.stale_for.unwrap_or(settings.stale_for);
    settings.load_timeout = chosen.load_timeout.unwrap_or(settings.load_timeout);
    settings.negative_window = chosen.negative_window.unwrap_or(settings.negative_window);
    settings.limits.value = chosen.max_value_bytes.unwrap_or(settings.limits.value);
    settings.format = chosen.format.unwrap_or(settings.format);
    settings.compression = compression(preset, chosen, problems);
    settings.check(problems);
    settings
}

fn compression(preset: &Preset, chosen: &Chosen, problems: &mut Problems) -> Compression {
    let (threshold, level) = (chosen.compression_threshold, chosen.compression_level);
    let given = [("compression_threshold", threshold.is_some()), ("compression_level", level.is_some())];
    for (name, _) in given.iter().filter(|(_, given)| *given && chosen.store.is_none()) {
        problems.add(format!(
            "{name} has no effect on a memory-only cache: tier 1 holds values as they are, and only what goes to a \
             store is compressed; leave it out, or give the cache a store"
        ));
    }
    if threshold.is_none() && level.is_none() {
        // Where LZ4 is not built in, a preset's own wish for it gives way.
        let preferred = Compression::new(preset.compression_threshold, preset.compression_level);
        return preferred.unwrap_or(Compression::off());
    }
    let (threshold, most) = (threshold.unwrap_or(preset.compression_threshold), Compression::MAX_THRESHOLD);
    problems.check(threshold <= most, || {
        format!("compression_threshold is {threshold} bytes, 0 to {most} are allowed")
    });
    if level.is_none() && chosen.store.is_none() {
        // Whether the preset's level is built in is of no interest to a cache that compresses nothing.
        return Compression::off();
    }
    let level = level.unwrap_or(preset.compression_level);
    problems.take(Compression::new(threshold.min(most), level)).unwrap_or(Compression::off())
}

fn tier1(preset: &Preset, chosen: &Chosen, problems: &mut Problems) -> Option<Size> {
    let has_store = chosen.store.is_some();
    let by_default = if has_store && !preset.l1_beside_store { 0 } else { preset.l1_cache_size };
    let entries = chosen.l1_cache_size.unwrap_or(by_default);
    let bytes = chosen.l1_max_bytes.unwrap_or(preset.l1_max_bytes);
    within("l1_cache_size", &presets::L1_CACHE_SIZE, &entries, "entries", problems);
    within("l1_max_bytes", &presets::L1_MAX_BYTES, &bytes, "bytes", problems);
    if entries > 0 {
        let value = chosen.max_value_bytes.filter(|&value| !has_store && value as u64 > bytes);
        if let Some(value) = value {
            problems.add(format!(
                "max_value_bytes is {value}, but tier 1 may hold {bytes} bytes in all and there is no store: allow \
                 {bytes} at most, or raise l1_max_bytes"
            ));
        }
        return Some(Size { entries, bytes });
    }
    problems.check(has_store, || {
        format!(
            "l1_cache_size is 0, which switches tier 1 off, and there is no store to keep anything: allow 1 to {} \
             entries, or give the cache a store",
            presets::L1_CACHE_SIZE.end()
        )
    });
    problems.check(chosen.l1_max_bytes.is_none(), || {
        "l1_max_bytes has no effect while tier 1 is off: leave it out, or give l1_cache_size at least 1"
            .to_owned()
    });
    None
}

fn within<T: PartialOrd + std::fmt::Display>(
    name: &str,
    range: &std::ops::RangeInclusive<T>,
    value: &T,
    unit: &str,
    problems: &mut Problems,
) {
    problems.check(range.contains(value), || {
        format!("{name} is {value} {unit}, {} to {} are allowed", range.start(), range.end())
    });
}
