//! What the program is asked to do.

use std::time::Duration;

use cache_core::FeedMode;
use serde::{Deserialize, Serialize};

use crate::verdicts::Verdicts;

/// What is checked instead of the product, to see that the check sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Sabotage {
    Token,
    Lease,
    EnvelopeKey,
    Naive,
}

impl Sabotage {
    pub(crate) const ALL: [Self; 4] = [Self::Token, Self::Lease, Self::EnvelopeKey, Self::Naive];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Lease => "lease",
            Self::EnvelopeKey => "envelope-key",
            Self::Naive => "naive",
        }
    }

    /// How often it showed as what it is.
    pub(crate) fn shown(self, verdicts: &Verdicts) -> u64 {
        match self {
            Self::EnvelopeKey => verdicts.wrong_key,
            Self::Token | Self::Lease | Self::Naive => verdicts.beyond_lease_unmarked,
        }
    }

    /// The fault under which it shows.
    pub(crate) fn fault(self) -> &'static str {
        match self {
            Self::Token => "calm",
            Self::Lease | Self::Naive => "blackhole-6",
            Self::EnvelopeKey => "slipped-replies",
        }
    }
}

/// Which way the caches are told of one another's changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Feed {
    Auto,
    PubSub,
    TtlOnly,
    /// Another one in each process.
    Mixed,
}

impl Feed {
    const ALL: [Self; 4] = [Self::Auto, Self::PubSub, Self::TtlOnly, Self::Mixed];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::PubSub => "pubsub",
            Self::TtlOnly => "ttl_only",
            Self::Mixed => "mixed",
        }
    }

    /// Whether it promises anything of changes by plain commands.
    pub(crate) fn hears_plain_commands(self) -> bool {
        !matches!(self, Self::PubSub | Self::Mixed)
    }

    /// What this process is to use.
    pub(crate) fn of(self, process: usize) -> FeedMode {
        match self {
            Self::Auto => FeedMode::Auto,
            Self::PubSub => FeedMode::PubSub,
            Self::TtlOnly => FeedMode::TtlOnly,
            Self::Mixed => [FeedMode::PubSub, FeedMode::Auto, FeedMode::TtlOnly][process % 3],
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Of each fault.
    pub(crate) time: Duration,
    pub(crate) processes: usize,
    /// A fault's name, several with commas in between, or `all`.
    pub(crate) fault: Option<String>,
    pub(crate) sabotage: Option<Sabotage>,
    /// All sabotages in turn, each of which must be seen.
    pub(crate) controls: bool,
    /// Tier 1 does not answer at all when the store is away.
    pub(crate) strict: bool,
    pub(crate) feed: Feed,
    pub(crate) seed: u64,
    pub(crate) json: bool,
}

impl Options {
    pub(crate) const HELP: &str = "staleness [--seconds N] [--processes N] [--fault NAME,…|all] [--strict]
          [--feed auto|pubsub|ttl_only|mixed] [--seed N] [--json]
          [--control token|lease|envelope-key|naive | --controls]";

    /// # Errors
    /// What is wrong with the arguments.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            time: Duration::from_secs(10),
            processes: 3,
            fault: None,
            sabotage: None,
            controls: false,
            strict: false,
            feed: Feed::Auto,
            seed: cache_core::random_u64() >> 16,
            json: false,
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} wants a value"));
            match argument.as_str() {
                "--seconds" => {
                    options.time = Duration::from_secs(number(&value()?, 3, 86_400)?);
                }
                "--processes" => {
                    options.processes = usize::try_from(number(&value()?, 1, 64)?).unwrap_or(1);
                }
                "--fault" => options.fault = Some(value()?),
                "--control" => {
                    let name = value()?;
                    let found = Sabotage::ALL.into_iter().find(|sabotage| sabotage.name() == name);
                    options.sabotage = Some(found.ok_or(format!("there is no control `{name}`"))?);
                }
                "--controls" => options.controls = true,
                "--strict" => options.strict = true,
                "--feed" => {
                    let name = value()?;
                    let found = Feed::ALL.into_iter().find(|feed| feed.name() == name);
                    options.feed = found.ok_or(format!("there is no feed `{name}`"))?;
                }
                "--seed" => options.seed = number(&value()?, 0, u64::MAX)?,
                "--json" => options.json = true,
                _ => return Err(format!("`{argument}` is unknown\n{}", Self::HELP)),
            }
        }
        if options.controls && (options.sabotage.is_some() || options.fault.is_some()) {
            return Err("--controls brings its own faults".into());
        }
        if options.feed != Feed::Auto && (options.controls || options.sabotage.is_some()) {
            return Err("the controls choose their feed themselves".into());
        }
        Ok(options)
    }
}

fn number(text: &str, least: u64, most: u64) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or(format!("`{text}` is not a number from {least} to {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn arguments_are_read_and_what_is_not_known_is_refused() {
        let options =
            parse("--seconds 5 --processes 2 --control envelope-key --strict --seed 7 --json").unwrap();
        assert_eq!((options.time.as_secs(), options.processes, options.seed), (5, 2, 7));
        assert!(options.strict && options.json && options.sabotage == Some(Sabotage::EnvelopeKey));
        assert_eq!(parse("--feed ttl_only").unwrap().feed, Feed::TtlOnly);
        for wrong in [
            "--seconds",
            "--seconds 0",
            "--control x",
            "--fast",
            "--feed x",
            "--controls --fault calm",
            "--controls --feed pubsub",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
