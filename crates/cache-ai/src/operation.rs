//! What is so for all requests of one operation.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cache_core::{Problems, Ttl};
use serde_json::Value;

use crate::digest::Digest;
use crate::schema::OptionSchema;
use crate::text_tier::TextTier;

/// Whether a model that is asked twice may be answered from the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Repeat {
    /// Never: every request goes to the model, and nothing is kept.
    Never,
    /// Only where temperature 0 is *given*. Absent is not 0, whatever default the operation's schema has.
    DeterministicOnly,
    /// Always.
    #[default]
    Always,
    /// So many answers are kept for a request, 1 to 1000, and served in turn, or as
    /// [`Control::sample`](crate::Control::sample) says. The first requests are all answered by the model.
    Samples(u32),
}

/// The policy of an operation. What is not said is taken from the cache's settings.
///
/// ```
/// use std::time::Duration;
/// use cache_ai::{AiSettings, OperationPolicy, Repeat};
///
/// let names = OperationPolicy::new()
///     .ttl(Duration::from_secs(3600))
///     .repeat(Repeat::Samples(5))
///     .validator(|answer| answer.is_string().then_some(()).ok_or_else(|| "no text".to_owned()));
/// let settings = AiSettings::new().operation("suggest_names", names);
/// # drop(settings);
/// ```
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct OperationPolicy {
    /// How long an answer is fresh: 1 ms to 365 days.
    pub ttl: Option<Duration>,
    /// How long after that it may be served while a new one is generated: 0 to 365 days.
    pub stale_for: Option<Duration>,
    /// Factors on the TTL for texts that are small, medium, large and beyond: 0.001 to 1000, 1 by default.
    pub ttl_by_tier: Option<[f64; 4]>,
    /// Whether answers stay right for long, so that those to longer texts are worth memory too. `false` by default, except for the
    /// operations `summarize`, `sentiment` and `translate`.
    pub is_stable: Option<bool>,
    /// Whether a model that is asked twice may be answered from the cache: [`Repeat::Always`] by default.
    pub repeat: Option<Repeat>,
    /// The options that there are; any, and none with a default, if there is no schema.
    pub schema: Option<OptionSchema>,
    pub(crate) validator: Option<Validator>,
}

/// Looks at an answer before it is kept.
#[derive(Clone)]
pub(crate) struct Validator(pub(crate) Arc<Look>);

type Look = dyn Fn(&Value) -> Result<(), String> + Send + Sync;

impl OperationPolicy {
    /// All as the cache's settings have it.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long an answer is fresh: 1 ms to 365 days.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// How long after that it may be served while a new one is generated: 0 to 365 days.
    #[must_use]
    pub fn stale_for(mut self, stale_for: Duration) -> Self {
        self.stale_for = Some(stale_for);
        self
    }

    /// Factors on the TTL for texts that are small, medium, large and beyond: 0.001 to 1000.
    #[must_use]
    pub fn ttl_by_tier(mut self, factors: [f64; 4]) -> Self {
        self.ttl_by_tier = Some(factors);
        self
    }

    /// Answers stay right for long: those to large texts are kept in tier 1 as well.
    #[must_use]
    pub fn stable(mut self, stable: bool) -> Self {
        self.is_stable = Some(stable);
        self
    }

    /// Whether a model that is asked twice may be answered from the cache.
    #[must_use]
    pub fn repeat(mut self, repeat: Repeat) -> Self {
        self.repeat = Some(repeat);
        self
    }

    /// The options that there are.
    #[must_use]
    pub fn schema(mut self, schema: OptionSchema) -> Self {
        self.schema = Some(schema);
        self
    }

    /// Looks at each answer, as JSON, before it is kept. One that is refused goes to its caller and is not kept. For
    /// example a JSON schema. Embeddings are not asked about: their number, length and numbers are looked at instead.
    #[must_use]
    pub fn validator(
        mut self,
        validator: impl Fn(&Value) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.validator = Some(Validator(Arc::new(validator)));
        self
    }

    /// This, and `under` where this says nothing.
    fn over(mut self, under: &Self) -> Self {
        self.ttl = self.ttl.or(under.ttl);
        self.stale_for = self.stale_for.or(under.stale_for);
        self.ttl_by_tier = self.ttl_by_tier.or(under.ttl_by_tier);
        self.is_stable = self.is_stable.or(under.is_stable);
        self.repeat = self.repeat.or(under.repeat);
        self.schema = self.schema.or_else(|| under.schema.clone());
        self.validator = self.validator.or_else(|| under.validator.clone());
        self
    }

    pub(crate) fn repeats(&self) -> Repeat {
        self.repeat.unwrap_or_default()
    }

    fn check(&self, name: &str, problems: &mut Problems) {
        if let Some(Err(error)) = self.ttl.map(Ttl::new) {
            problems.add(format!("the TTL of operation `{name}`: {}", error.message()));
        }
        if let Some(stale_for) = self.stale_for {
            problems.check(stale_for <= Ttl::MAX.as_duration(), || {
                format!("stale_for of operation `{name}` is {stale_for:?}, 0 to 365 days are allowed")
            });
        }
        for factor in self.ttl_by_tier.into_iter().flatten() {
            problems.check(factor.is_finite() && (0.001..=1000.0).contains(&factor), || {
                format!("a TTL factor of operation `{name}` is {factor}, 0.001 to 1000 are allowed")
            });
        }
        if let Repeat::Samples(samples) = self.repeats() {
            problems.check((1..=MAX_SAMPLES).contains(&samples), || {
                format!("operation `{name}` keeps {samples} samples, 1 to {MAX_SAMPLES} are allowed")
            });
        }
    }
}

/// The most samples of one request.
const MAX_SAMPLES: u32 = 1000;

/// The policies of all operations.
#[derive(Clone, Debug)]
pub(crate) struct Operations {
    named: HashMap<String, OperationPolicy>,
    other: OperationPolicy,
    pub(crate) default_ttl: Duration,
    /// TTLs are made shorter by up to this part, 0 to 0.5.
    pub(crate) jitter: f64,
    /// No TTL is shorter or longer.
    pub(crate) clamp: (Duration, Duration),
}

impl Default for Operations {
    /// The guide's.
    fn default() -> Self {
        let secs = Duration::from_secs;
        let table = [
            ("summarize", 7_200, true),
            ("sentiment", 86_400, true),
            ("key_points", 7_200, false),
            ("questions", 3_600, false),
            ("qa", 1_800, false),
            ("translate", 86_400, true),
        ];
        let named = table.map(|(name, ttl, stable)| {
            (name.to_owned(), OperationPolicy::new().ttl(secs(ttl)).stable(stable))
        });
        Self {
            named: named.into(),
            other: OperationPolicy::new(),
            default_ttl: secs(3_600),
            jitter: 0.0,
            clamp: (Ttl::MIN.as_duration(), Ttl::MAX.as_duration()),
        }
    }
}

impl Operations {
    /// Puts a policy in front of what there is.
    pub(crate) fn set(&mut self, name: String, policy: OperationPolicy) {
        let policy = match self.named.get(&name) {
            Some(under) => policy.over(under),
            None => policy,
        };
        self.named.insert(name, policy);
    }

    /// A TTL, leaving the rest as it is.
    pub(crate) fn set_ttl(&mut self, name: String, ttl: Duration) {
        self.named.entry(name).or_default().ttl = Some(ttl);
    }

    pub(crate) fn of(&self, name: &str) -> &OperationPolicy {
        self.named.get(name).unwrap_or(&self.other)
    }

    /// Those that are stable, by name.
    pub(crate) fn stable(&self) -> impl Iterator<Item = &str> {
        let stable = self.named.iter().filter(|(_, policy)| policy.is_stable == Some(true));
        stable.map(|(name, _)| name.as_str())
    }

    /// How long an answer is fresh: by operation and text tier, spread so that what was made at a time does not end at
    /// one, and within the clamps.
    pub(crate) fn ttl(&self, policy: &OperationPolicy, tier: TextTier, digest: &Digest) -> Duration {
        let ttl = policy.ttl.unwrap_or(self.default_ttl).as_secs_f64();
        let factor = policy.ttl_by_tier.map_or(1.0, |factors| factors[tier as usize]);
        let spread = 1.0 - self.jitter * digest.fraction();
        let ttl = Duration::try_from_secs_f64(ttl * factor * spread).unwrap_or(self.clamp.1);
        ttl.clamp(self.clamp.0, self.clamp.1)
    }

    pub(crate) fn check(&self, problems: &mut Problems) {
        for (name, policy) in &self.named {
            policy.check(name, problems);
        }
        problems.check((0.0..=0.5).contains(&self.jitter), || {
            format!("ttl_jitter is {}, 0 to 0.5 are allowed", self.jitter)
        });
        let (least, most) = self.clamp;
        let allowed = Ttl::MIN.as_duration()..=Ttl::MAX.as_duration();
        problems.check(least <= most && allowed.contains(&least) && allowed.contains(&most), || {
            format!(
                "TTLs are to be from {least:?} to {most:?}, 1 ms to 365 days are allowed, the least first"
            )
        });
    }
}

impl fmt::Debug for OperationPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ttl, stale_for, ttl_by_tier, is_stable, repeat, schema, validator } = self;
        f.debug_struct("OperationPolicy")
            .field("ttl", ttl)
            .field("stale_for", stale_for)
            .field("ttl_by_tier", ttl_by_tier)
            .field("is_stable", is_stable)
            .field("repeat", repeat)
            .field("schema", schema)
            .field("has_validator", &validator.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guides_ttls_and_what_is_given_over_them() {
        let mut operations = Operations::default();
        let digest = Digest::of(b"x");
        let ttl = |it: &Operations, name: &str| it.ttl(it.of(name), TextTier::Small, &digest).as_secs();
        for (name, secs) in [
            ("summarize", 7_200),
            ("sentiment", 86_400),
            ("key_points", 7_200),
            ("questions", 3_600),
            ("qa", 1_800),
            ("translate", 86_400),
            ("anything else", 3_600),
        ] {
            assert_eq!(ttl(&operations, name), secs, "{name}");
        }
        operations.set_ttl("sentiment".into(), Duration::from_secs(14_400));
        operations.set("qa".into(), OperationPolicy::new().stable(true));
        assert_eq!((ttl(&operations, "sentiment"), ttl(&operations, "qa")), (14_400, 1_800));
        assert!(operations.stable().any(|it| it == "qa") && operations.stable().any(|it| it == "sentiment"));
    }

    #[test]
    fn a_ttl_goes_by_tier_is_spread_and_stays_within_its_clamps() {
        let mut operations = Operations::default();
        operations.set("qa".into(), OperationPolicy::new().ttl_by_tier([1.0, 2.0, 4.0, 1000.0]));
        operations.clamp.1 = Duration::from_secs(10_000);
        let ttl = |it: &Operations, tier, of: &[u8]| it.ttl(it.of("qa"), tier, &Digest::of(of));
        assert_eq!(ttl(&operations, TextTier::Large, b"x").as_secs(), 7_200);
        assert_eq!(ttl(&operations, TextTier::XLarge, b"x").as_secs(), 10_000);
        operations.jitter = 0.5;
        let spread: Vec<Duration> = (0..100u8).map(|at| ttl(&operations, TextTier::Small, &[at])).collect();
        assert!(spread.iter().all(|ttl| (900.0..=1800.0).contains(&ttl.as_secs_f64())));
        assert!(
            spread.iter().any(|ttl| ttl.as_secs() < 1_100) && spread.iter().any(|ttl| ttl.as_secs() > 1_600)
        );
    }
}
