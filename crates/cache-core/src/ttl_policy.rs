//! How long values may live, said in one place: by their type, by their key, by their age.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{Error, ErrorKind, Problems, SetOptions, Ttl, random_u64};

/// How long values of a kind are to be fresh.
///
/// Ask it by [type of data](TtlPolicy::for_type) or by [key](TtlPolicy::for_key), say how old the data is if that matters,
/// and give the answer to whatever takes a TTL.
///
/// ```
/// use std::time::Duration;
/// use cache_core::{SetOptions, Ttl, TtlPolicy};
///
/// let policy = TtlPolicy::by_data_type();
/// let hour = Duration::from_secs(3600);
///
/// assert_eq!(policy.for_type("session")?.ttl().as_duration(), hour / 2);
/// // What was last changed 7 hours ago lives half as long, and what is older than a day 5 minutes at the most.
/// assert_eq!(policy.for_type("user_profile")?.age(7 * hour).ttl().as_duration(), hour / 2);
/// assert_eq!(policy.for_type("user_profile")?.age(25 * hour).ttl().as_duration(), hour / 12);
///
/// let options: SetOptions = policy.for_type("user_profile")?.age(7 * hour).into();
/// assert!(policy.for_type("sesion").is_err());
/// # Ok::<(), cache_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct TtlPolicy {
    default: Ttl,
    types: BTreeMap<String, Ttl>,
    prefixes: BTreeMap<String, Ttl>,
    /// The oldest first.
    ages: Vec<(Duration, Aged)>,
    jitter: f64,
}

/// What becomes of the TTL of data that is old.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Aged {
    /// It is this at the most: 1 ms to 365 days.
    AtMost(Duration),
    /// It is this part of what it would be: above 0, below 1.
    Part(f64),
}

impl TtlPolicy {
    /// Starts a policy with this TTL for all that nothing else is said of: 1 ms to 365 days.
    ///
    /// ```
    /// use std::time::Duration;
    /// use cache_core::{Aged, TtlPolicy};
    ///
    /// let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(3600));
    /// let policy = TtlPolicy::builder(10 * minute)
    ///     .data_type("report", 24 * hour)
    ///     .prefix("user:", hour)
    ///     .prefix("user:presence:", minute)
    ///     .older_than(24 * hour, Aged::AtMost(5 * minute))
    ///     .jitter(0.05)
    ///     .build()?;
    /// // The longest prefix counts. With 5 % of jitter it is 57 to 60 seconds.
    /// let ttl = policy.for_key("user:presence:42").ttl().as_duration();
    /// assert!(ttl <= minute && ttl >= minute * 95 / 100);
    /// # Ok::<(), cache_core::Error>(())
    /// ```
    pub fn builder(default: Duration) -> TtlPolicyBuilder {
        TtlPolicyBuilder { default, types: Vec::new(), prefixes: Vec::new(), ages: Vec::new(), jitter: 0.0 }
    }

    /// A policy to start from. By type of data: `session` 30 min, `user_profile` 1 h, `api_weather` 30 min, `static_config`
    /// 24 h, `ai_summary` 2 h, all else 1 h; of data that is older than 6 h half of it, older than 24 h 5 min at the most.
    pub fn by_data_type() -> Self {
        let seconds = |seconds| Ttl::clamped(Duration::from_secs(seconds));
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        let types = [
            ("session", 1800),
            ("user_profile", 3600),
            ("api_weather", 1800),
            ("static_config", 86_400),
            ("ai_summary", 7200),
        ];
        Self {
            default: seconds(3600),
            types: types.map(|(name, ttl)| (name.to_owned(), seconds(ttl))).into(),
            prefixes: BTreeMap::new(),
            ages: vec![(hours(24), Aged::AtMost(Duration::from_secs(300))), (hours(6), Aged::Part(0.5))],
            jitter: 0.0,
        }
    }

    /// The TTL of a type of data.
    ///
    /// # Errors
    /// [`ErrorKind::Validation`] for a type that the policy does not name, with those that it does.
    pub fn for_type(&self, name: &str) -> Result<PolicyTtl<'_>, Error> {
        match self.types.get(name) {
            Some(&base) => Ok(self.answer(base)),
            None => {
                let known: Vec<_> = self.types.keys().map(|name| format!("`{name}`")).collect();
                let known = if known.is_empty() { "none".into() } else { known.join(", ") };
                Err(Error::new(
                    ErrorKind::Validation,
                    format!("the TTL policy has no type of data `{name}`; it has {known}"),
                ))
            }
        }
    }

    /// The TTL of what is stored under a key: that of the longest prefix that the key starts with, or the default.
    pub fn for_key(&self, key: &str) -> PolicyTtl<'_> {
        let longest = self.prefixes.iter().filter(|(prefix, _)| key.starts_with(prefix.as_str()));
        let base = longest.max_by_key(|(prefix, _)| prefix.len()).map_or(self.default, |(_, &ttl)| ttl);
        self.answer(base)
    }

    fn answer(&self, base: Ttl) -> PolicyTtl<'_> {
        let chance = if self.jitter > 0.0 { random_u64() } else { 0 };
        PolicyTtl { policy: self, base, age: Duration::ZERO, chance }
    }
}

/// What a [`TtlPolicy`] answered: a TTL for whatever takes one.
#[derive(Clone, Copy, Debug)]
pub struct PolicyTtl<'a> {
    policy: &'a TtlPolicy,
    base: Ttl,
    age: Duration,
    /// Drawn when the policy was asked, so that asking twice for the TTL gives the same.
    chance: u64,
}

impl PolicyTtl<'_> {
    /// For data that was last changed so long ago; any length of time, 0 by default.
    #[must_use]
    pub fn age(mut self, age: Duration) -> Self {
        self.age = age;
        self
    }

    /// The TTL, with all that the policy says of it.
    pub fn ttl(&self) -> Ttl {
        jittered(aged(self.base, self.age, &self.policy.ages), self.policy.jitter, self.chance)
    }
}

impl From<PolicyTtl<'_>> for Ttl {
    fn from(answer: PolicyTtl<'_>) -> Self {
        answer.ttl()
    }
}

impl From<PolicyTtl<'_>> for Duration {
    fn from(answer: PolicyTtl<'_>) -> Self {
        answer.ttl().as_duration()
    }
}

impl From<PolicyTtl<'_>> for SetOptions {
    fn from(answer: PolicyTtl<'_>) -> Self {
        answer.ttl().into()
    }
}

/// What the first rule says that the data is older than; the oldest come first.
fn aged(base: Ttl, age: Duration, rules: &[(Duration, Aged)]) -> Ttl {
    match rules.iter().find(|(older_than, _)| age > *older_than) {
        None => base,
        Some((_, Aged::AtMost(most))) => base.min(Ttl::clamped(*most)),
        Some((_, Aged::Part(part))) => Ttl::clamped(base.as_duration().mul_f64(*part)),
    }
}

/// Shorter by up to `share`, never longer: nothing lives longer than was said. `chance` is any number.
fn jittered(ttl: Ttl, share: f64, chance: u64) -> Ttl {
    // 32 bits are all that a fraction of a TTL can show.
    let fraction = f64::from((chance >> 32) as u32) / f64::from(u32::MAX);
    if share > 0.0 { Ttl::clamped(ttl.as_duration().mul_f64(1.0 - share * fraction)) } else { ttl }
}

/// Builds a [`TtlPolicy`]. What is wrong is said when it is built, all at once.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct TtlPolicyBuilder {
    default: Duration,
    types: Vec<(String, Duration)>,
    prefixes: Vec<(String, Duration)>,
    ages: Vec<(Duration, Aged)>,
    jitter: f64,
}

impl TtlPolicyBuilder {
    /// The TTL of a type of data: 1 ms to 365 days. Each type is named once.
    pub fn data_type(mut self, name: impl Into<String>, ttl: Duration) -> Self {
        self.types.push((name.into(), ttl));
        self
    }

    /// The TTL of keys that start like this: 1 ms to 365 days. The longest prefix counts. Each prefix is named once.
    pub fn prefix(mut self, prefix: impl Into<String>, ttl: Duration) -> Self {
        self.prefixes.push((prefix.into(), ttl));
        self
    }

    /// What becomes of the TTL of data that is older than this, by a nanosecond or more. Of several rules that of the oldest
    /// counts, alone.
    pub fn older_than(mut self, age: Duration, then: Aged) -> Self {
        self.ages.push((age, then));
        self
    }

    /// By which share at the most a TTL is made shorter, at random, so that what was stored together does not end together:
    /// 0 (not at all) to 0.5. 0.05 is enough for most.
    pub fn jitter(mut self, share: f64) -> Self {
        self.jitter = share;
        self
    }

    /// The policy.
    ///
    /// # Errors
    /// One [`ErrorKind::Validation`] error that lists all that is out of range or said twice.
    pub fn build(self) -> Result<TtlPolicy, Error> {
        let Self { default, types, prefixes, mut ages, jitter } = self;
        let mut problems = Problems::default();
        let default = ttl("default", default, &mut problems);
        let types = table("data type", types, &mut problems);
        let prefixes = table("prefix", prefixes, &mut problems);
        ages.sort_by_key(|(age, _)| std::cmp::Reverse(*age));
        for pair in ages.windows(2) {
            problems.check(pair[0].0 != pair[1].0, || format!("older than {:?} is said twice", pair[0].0));
        }
        for (age, then) in &ages {
            match then {
                Aged::AtMost(most) => drop(ttl(&format!("older than {age:?}"), *most, &mut problems)),
                Aged::Part(part) => problems.check(*part > 0.0 && *part < 1.0, || {
                    format!("older than {age:?}: the part is {part}, above 0 and below 1 are allowed")
                }),
            }
        }
        problems.check((0.0..=0.5).contains(&jitter), || format!("jitter is {jitter}, 0 to 0.5 are allowed"));
        problems.validation()?;
        Ok(TtlPolicy { default, types, prefixes, ages, jitter })
    }
}

/// A checked TTL; any, if it is wrong and `problems` says so.
fn ttl(place: &str, given: Duration, problems: &mut Problems) -> Ttl {
    let mut found = Problems::default();
    let checked = found.take(Ttl::new(given)).unwrap_or(Ttl::MIN);
    problems.add_all(found, place);
    checked
}

fn table(what: &str, rows: Vec<(String, Duration)>, problems: &mut Problems) -> BTreeMap<String, Ttl> {
    let mut table = BTreeMap::new();
    for (name, given) in rows {
        problems.check(!name.is_empty(), || format!("a {what} is empty, 1 byte at least is allowed"));
        let checked = ttl(&format!("{what} `{name}`"), given, problems);
        problems.check(!table.contains_key(&name), || format!("{what} `{name}` is given twice"));
        table.insert(name, checked);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LoadOptions;

    const MINUTE: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn the_table_is_that_of_the_guide() {
        let policy = TtlPolicy::by_data_type();
        for (name, seconds) in [
            ("session", 1800),
            ("user_profile", 3600),
            ("api_weather", 1800),
            ("static_config", 86_400),
            ("ai_summary", 7200),
        ] {
            assert_eq!(policy.for_type(name).unwrap().ttl().as_duration(), Duration::from_secs(seconds));
        }
        assert_eq!(policy.for_key("anything").ttl().as_duration(), HOUR);
    }

    #[test]
    fn old_data_lives_shorter_by_the_rule_of_the_oldest_alone() {
        let policy = TtlPolicy::by_data_type();
        let ttl = |name, age| policy.for_type(name).unwrap().age(age).ttl().as_duration();
        for (name, age, expected) in [
            ("user_profile", Duration::ZERO, HOUR),
            ("user_profile", 6 * HOUR, HOUR),
            ("user_profile", 6 * HOUR + Duration::from_nanos(1), HOUR / 2),
            ("user_profile", 24 * HOUR, HOUR / 2),
            ("user_profile", 24 * HOUR + Duration::from_nanos(1), 5 * MINUTE),
            ("static_config", Duration::MAX, 5 * MINUTE),
        ] {
            assert_eq!(ttl(name, age), expected, "{name} {age:?}");
        }
        // What lives for a shorter time anyway is not made to live longer.
        assert_eq!(aged(Ttl::MIN, Duration::MAX, &policy.ages), Ttl::MIN);
    }

    #[test]
    fn the_longest_prefix_counts() {
        let policy = TtlPolicy::builder(HOUR)
            .prefix("user:profile:", MINUTE)
            .prefix("user:", 2 * MINUTE)
            .build()
            .unwrap();
        for (key, expected) in
            [("user:profile:1", MINUTE), ("user:1", 2 * MINUTE), ("users", HOUR), ("user", HOUR)]
        {
            assert_eq!(policy.for_key(key).ttl().as_duration(), expected, "{key}");
        }
    }

    #[test]
    fn jitter_makes_shorter_by_its_share_at_the_most_and_never_longer() {
        let ttl = Ttl::clamped(100 * MINUTE);
        assert_eq!(jittered(ttl, 0.1, 0), ttl);
        assert_eq!(jittered(ttl, 0.1, u64::MAX).as_duration(), 90 * MINUTE);
        assert_eq!(jittered(ttl, 0.0, u64::MAX), ttl);
        assert_eq!(jittered(Ttl::MIN, 0.5, u64::MAX), Ttl::MIN);

        let policy = TtlPolicy::builder(100 * MINUTE).jitter(0.1).build().unwrap();
        let ttls: Vec<_> = (0..64).map(|_| policy.for_key("k").ttl().as_duration()).collect();
        assert!(ttls.iter().all(|ttl| (90 * MINUTE..=100 * MINUTE).contains(ttl)), "{ttls:?}");
        assert!(ttls.iter().any(|ttl| *ttl != ttls[0]));
        let answer = policy.for_key("k");
        assert_eq!(answer.ttl(), answer.ttl());
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let error = TtlPolicy::builder(Duration::ZERO)
            .data_type("", MINUTE)
            .data_type("a", Duration::MAX)
            .prefix("user:", MINUTE)
            .prefix("user:", HOUR)
            .older_than(HOUR, Aged::Part(1.0))
            .older_than(HOUR, Aged::AtMost(Duration::ZERO))
            .jitter(0.51)
            .build()
            .unwrap_err();
        assert!(error.is_validation());
        for part in [
            "8 problems",
            "default: a TTL of 0ns was given, 1 ms to 365 days are allowed",
            "a data type is empty",
            "data type `a`: a TTL of",
            "prefix `user:` is given twice",
            "older than 3600s is said twice",
            "older than 3600s: the part is 1, above 0 and below 1 are allowed",
            "older than 3600s: a TTL of 0ns",
            "jitter is 0.51, 0 to 0.5 are allowed",
        ] {
            assert!(error.message().contains(part), "{part} in {error}");
        }
        for wrong in [f64::NAN, -0.1] {
            assert!(TtlPolicy::builder(HOUR).jitter(wrong).build().is_err());
            assert!(TtlPolicy::builder(HOUR).older_than(HOUR, Aged::Part(wrong)).build().is_err());
        }
    }

    #[test]
    fn a_type_that_is_not_there_is_an_error_with_those_that_are() {
        let error = TtlPolicy::by_data_type().for_type("sesion").unwrap_err();
        assert!(error.message().contains("no type of data `sesion`"), "{error}");
        assert!(error.message().contains("`session`"), "{error}");
        let none = TtlPolicy::builder(HOUR).build().unwrap().for_type("x").unwrap_err();
        assert!(none.message().ends_with("it has none"), "{none}");
    }

    #[test]
    fn an_answer_is_taken_wherever_a_ttl_is() {
        let policy = TtlPolicy::by_data_type();
        let answer = policy.for_type("session").unwrap();
        let options: SetOptions = answer.into();
        let load: LoadOptions = answer.into();
        assert_eq!(options, SetOptions::ttl(HOUR / 2));
        assert_eq!(load, LoadOptions::ttl(HOUR / 2));
        assert_eq!((Ttl::from(answer).as_duration(), Duration::from(answer)), (HOUR / 2, HOUR / 2));
    }
}
