//! Which answers are kept.

use std::fmt;

use cache_core::Problems;
use serde::{Deserialize, Serialize};

use crate::answer::{Answer, Finish, Generated};
use crate::canonical::{self, Problem};
use crate::operation::OperationPolicy;

/// Why an answer was not kept. Its caller got it all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Refused {
    /// The model ran out of tokens.
    Length,
    /// Its output was held back.
    ContentFilter,
    /// It refused to answer.
    Refusal,
    /// There is nothing in it.
    Empty,
    /// Its stream ended before its end, or fewer answers to choose from came than were asked for.
    Truncated,
    /// Its readers left before its end.
    Cancelled,
    /// It failed, or is what an API says when it fails: an object whose `error` is an object, or a text and all there is.
    Error,
    /// A validator said no, or it cannot be written as JSON, or not as what it is: a number that is none (NaN, an infinity).
    Invalid,
    /// It is longer than [`max_answer_bytes`](crate::AiSettings::max_answer_bytes) allows.
    TooLarge,
    /// It ended in a word that nobody knows: [`Finish::Other`].
    UnknownFinish,
}

impl Refused {
    /// All reasons.
    pub const ALL: [Self; 10] = [
        Self::Length,
        Self::ContentFilter,
        Self::Refusal,
        Self::Empty,
        Self::Truncated,
        Self::Cancelled,
        Self::Error,
        Self::Invalid,
        Self::TooLarge,
        Self::UnknownFinish,
    ];

    /// As one word, for labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Length => "length",
            Self::ContentFilter => "content_filter",
            Self::Refusal => "refusal",
            Self::Empty => "empty",
            Self::Truncated => "truncated",
            Self::Cancelled => "cancelled",
            Self::Error => "error",
            Self::Invalid => "invalid",
            Self::TooLarge => "too_large",
            Self::UnknownFinish => "unknown_finish",
        }
    }
}

/// Which answers are kept.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    /// The longest answer, in bytes as JSON.
    pub(crate) max_bytes: usize,
    /// Reasons that do not count.
    pub(crate) allowed: Vec<Refused>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { max_bytes: 1 << 20, allowed: Vec::new() }
    }
}

impl Gate {
    /// Why this answer must not be kept, if so.
    pub(crate) fn judge<A: Answer>(&self, it: &Generated<A>, policy: &OperationPolicy) -> Option<Refused> {
        self.reasons(it, policy).find(|reason| !self.allowed.contains(reason))
    }

    fn reasons<A: Answer>(
        &self,
        it: &Generated<A>,
        policy: &OperationPolicy,
    ) -> impl Iterator<Item = Refused> {
        let finish = match it.outcome.finish {
            Finish::Length => Some(Refused::Length),
            Finish::ContentFilter => Some(Refused::ContentFilter),
            Finish::Error => Some(Refused::Error),
            Finish::Other => Some(Refused::UnknownFinish),
            Finish::Unknown | Finish::Stop | Finish::ToolCalls => None,
        };
        let refusal = it.outcome.is_refusal.then_some(Refused::Refusal);
        // What is nothing as JSON is nothing, whatever its type.
        let (shown, is_json) = match serde_json::to_value(&it.answer) {
            Ok(shown) => (shown, true),
            Err(_) => (serde_json::Value::Null, false),
        };
        let failed = is_error(&shown).then_some(Refused::Error);
        let is_empty = it.outcome.is_empty || is_json && is_nothing(&shown);
        let empty = is_empty.then_some(Refused::Empty);
        let says_no = policy.validator.as_ref().is_some_and(|validator| (validator.0)(&shown).is_err());
        let written = || canonical::append(&mut Vec::new(), &it.answer);
        let is_lossy = is_json && has_null(&shown) && matches!(written(), Err(Problem::NoNumber(_)));
        let invalid = (it.invalid.is_some() || says_no || !is_json || is_lossy).then_some(Refused::Invalid);
        let too_large = (length_up_to(&shown, self.max_bytes).is_none()).then_some(Refused::TooLarge);
        finish.into_iter().chain(failed).chain(refusal).chain(empty).chain(invalid).chain(too_large)
    }

    /// Whether an answer can be judged at once, because it is short as JSON.
    pub(crate) fn is_short<A: Answer>(&self, it: &Generated<A>) -> bool {
        length_up_to(&it.answer, LONG).is_some()
    }

    /// How many bytes the events of a stream may have as JSON, together.
    pub(crate) fn room(&self) -> usize {
        if self.allowed.contains(&Refused::TooLarge) {
            usize::MAX
        } else {
            self.max_bytes.saturating_mul(FRAMING)
        }
    }

    pub(crate) fn check(&self, problems: &mut Problems) {
        problems.check((1..=64 << 20).contains(&self.max_bytes), || {
            format!("max_answer_bytes is {}, 1 to 67108864 are allowed", self.max_bytes)
        });
        for reason in [Refused::Truncated, Refused::Cancelled] {
            problems.check(!self.allowed.contains(&reason), || {
                format!("keep_in_spite_of({reason}): of such an answer there is no whole that could be kept")
            });
        }
    }
}

fn is_nothing(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Null => true,
        serde_json::Value::String(text) => text.trim().is_empty(),
        serde_json::Value::Array(items) => items.is_empty(),
        serde_json::Value::Object(fields) => fields.is_empty(),
        serde_json::Value::Bool(_) | serde_json::Value::Number(_) => false,
    }
}

/// Whether something in it is nothing, as JSON makes it of a number that is none.
fn has_null(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Null => true,
        serde_json::Value::Array(items) => items.iter().any(has_null),
        serde_json::Value::Object(fields) => fields.values().any(has_null),
        _ => false,
    }
}

/// Whether this is what an API says when it fails: `error` as an object, or as a text with nothing beside it.
fn is_error(value: &serde_json::Value) -> bool {
    match value.get("error") {
        Some(serde_json::Value::Object(error)) => !error.is_empty(),
        Some(serde_json::Value::String(error)) => {
            !error.is_empty() && value.as_object().is_some_and(|it| it.len() == 1)
        }
        _ => false,
    }
}

/// What is said with each event of a stream beside its part of the answer makes it so many times longer, at the most.
const FRAMING: usize = 16;

/// Judging a shorter answer, in bytes as JSON, takes less than 0.1 ms.
const LONG: usize = 16 << 10;

/// How long a value is as JSON; `None` if it is longer than `limit`. What is no JSON has no length.
pub(crate) fn length_up_to(value: &impl Serialize, limit: usize) -> Option<usize> {
    struct Counter {
        bytes: usize,
        limit: usize,
    }

    impl std::io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.bytes += bytes.len();
            if self.bytes > self.limit {
                Err(std::io::ErrorKind::FileTooLarge.into())
            } else {
                Ok(bytes.len())
            }
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let mut counter = Counter { bytes: 0, limit };
    let written = serde_json::to_writer(&mut counter, value);
    (written.is_ok() || counter.bytes <= limit).then_some(counter.bytes)
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::answer::Plain;

    fn judge(it: &Generated<Plain<serde_json::Value>>) -> Option<Refused> {
        Gate { max_bytes: 40, allowed: Vec::new() }.judge(it, &OperationPolicy::new())
    }

    #[test]
    fn every_reason_keeps_an_answer_out() {
        let fine = || Generated::new(Plain(json!({"summary": "short"})));
        assert_eq!(judge(&fine()), None);
        assert_eq!(judge(&fine().finish(Finish::Stop)), None);
        assert_eq!(judge(&fine().finish(Finish::ToolCalls)), None);
        assert_eq!(judge(&fine().finish(Finish::Length)), Some(Refused::Length));
        assert_eq!(judge(&fine().finish(Finish::ContentFilter)), Some(Refused::ContentFilter));
        assert_eq!(judge(&fine().finish(Finish::Error)), Some(Refused::Error));
        assert_eq!(judge(&fine().finish(Finish::Other)), Some(Refused::UnknownFinish));
        assert_eq!(judge(&fine().refusal(true)), Some(Refused::Refusal));
        assert_eq!(judge(&fine().invalid("no title")), Some(Refused::Invalid));
        assert_eq!(judge(&Generated::new(Plain(json!("x".repeat(39))))), Some(Refused::TooLarge));
        assert_eq!(judge(&Generated::new(Plain(json!("x".repeat(38))))), None);
        for nothing in [json!(null), json!(""), json!(" \n"), json!([]), json!({})] {
            assert_eq!(judge(&Generated::new(Plain(nothing))), Some(Refused::Empty));
        }
        for something in [json!(0), json!(false), json!("0")] {
            assert_eq!(judge(&Generated::new(Plain(something))), None);
        }
    }

    #[test]
    fn a_validator_sees_the_answer_as_json() {
        let policy = OperationPolicy::new().validator(|answer| match answer.get("summary") {
            Some(_) => Ok(()),
            None => Err("there is no summary".to_owned()),
        });
        let gate = Gate::default();
        let judge = |answer| gate.judge(&Generated::new(Plain(answer)), &policy);
        assert_eq!(judge(json!({"summary": "x"})), None);
        assert_eq!(judge(json!({"text": "x"})), Some(Refused::Invalid));
    }

    #[test]
    fn a_reason_can_be_allowed() {
        let gate = Gate { allowed: vec![Refused::Length], ..Gate::default() };
        let cut = Generated::new(Plain(json!("cut"))).finish(Finish::Length);
        assert_eq!(gate.judge(&cut, &OperationPolicy::new()), None);
        let empty = Generated::new(Plain(json!(""))).finish(Finish::Length);
        assert_eq!(gate.judge(&empty, &OperationPolicy::new()), Some(Refused::Empty));
    }
}
