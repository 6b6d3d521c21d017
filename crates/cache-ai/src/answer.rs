//! What the cache has to know of an answer.

use std::ops::Deref;

use cache_tiered::Data;
use serde::{Deserialize, Serialize};

/// An answer that can be cached: whole, or as the events of a stream.
///
/// Implemented for [`Plain`] values of any type, which have no events, and for [`Chat`](crate::Chat) and
/// [`Responses`](crate::Responses), whose events are those of the wire.
pub trait Answer: Data {
    /// A piece of the answer as it is streamed.
    type Event: Data;

    /// What kind of answer it is, in a word. An answer of another kind is not served to who wants this one, though it is to
    /// the same request. By default any will do that can be read.
    const KIND: Option<&'static str> = None;

    /// How it ended, and what it cost.
    fn outcome(&self) -> Outcome;

    /// The whole answer that these events are, in their order, or `None` if something is missing: its end above all.
    fn from_events(events: &[&Self::Event]) -> Option<Self>;

    /// The events that would have brought this answer, with at most so many characters in each if that is said: 1 and up.
    fn to_events(&self, characters: Option<usize>) -> Vec<Self::Event>;
}

/// How an answer ended, and what it cost.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Outcome {
    /// Why the model stopped.
    pub finish: Finish,
    /// What was used.
    pub usage: Usage,
    /// Whether the model refused to answer.
    pub is_refusal: bool,
    /// Whether there is nothing in it: no text, no tool call.
    pub is_empty: bool,
    /// How many answers there are to choose from, if the body says so.
    pub choices: Option<usize>,
}

impl Outcome {
    /// This end, with nothing else known.
    pub fn of(finish: Finish) -> Self {
        Self { finish, ..Self::default() }
    }
}

/// Why a model stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Finish {
    /// Nobody said.
    #[default]
    Unknown,
    /// It was done.
    Stop,
    /// It wants tools to be called.
    ToolCalls,
    /// It ran out of tokens: the answer is cut.
    Length,
    /// Its output was held back.
    ContentFilter,
    /// It failed.
    Error,
    /// An end in a word that nobody knows: it may be cut, held back or failed.
    Other,
}

impl Finish {
    /// From the word of a wire format, in any case. What is not done yet counts as cut; no word says nothing; a word that nobody knows is
    /// [`Other`](Self::Other).
    pub fn of_word(word: &str) -> Self {
        match &*word.to_ascii_lowercase() {
            "" => Self::Unknown,
            "stop" | "stopped" | "completed" | "complete" | "end_turn" | "stop_sequence" | "eos"
            | "eos_token" | "endoftext" | "end_of_text" | "finish" | "finished" | "done" | "success"
            | "succeeded" => Self::Stop,
            "tool_calls" | "tool_call" | "tool-calls" | "tool_use" | "function_call" => Self::ToolCalls,
            "length"
            | "max_tokens"
            | "max_output_tokens"
            | "max_new_tokens"
            | "max_length"
            | "model_length"
            | "model_context_window_exceeded"
            | "error_limit"
            | "insufficient_system_resource"
            | "malformed_function_call"
            | "unexpected_tool_call"
            | "incomplete"
            | "in_progress"
            | "queued"
            | "null"
            | "pause_turn" => Self::Length,
            "content_filter"
            | "content-filter"
            | "content_filtered"
            | "safety"
            | "image_safety"
            | "recitation"
            | "blocklist"
            | "prohibited_content"
            | "spii"
            | "sensitive"
            | "language"
            | "error_toxic"
            | "refusal"
            | "guardrail_intervened" => Self::ContentFilter,
            "error" | "failed" | "cancelled" | "canceled" | "user_cancel" | "abort" | "aborted"
            | "timeout" | "network_error" => Self::Error,
            _ => Self::Other,
        }
    }
}

/// Tokens that an answer took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Usage {
    /// Tokens that went in.
    pub input: u64,
    /// Tokens that came out, those of reasoning included.
    pub output: u64,
}

impl Usage {
    /// So many tokens in and out.
    pub fn new(input: u64, output: u64) -> Self {
        Self { input, output }
    }
}

/// A value of any type as an answer. It has no events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Plain<T>(pub T);

impl<T> Deref for Plain<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Data> Answer for Plain<T> {
    type Event = ();

    fn outcome(&self) -> Outcome {
        Outcome::default()
    }

    fn from_events(_: &[&()]) -> Option<Self> {
        None
    }

    fn to_events(&self, _: Option<usize>) -> Vec<()> {
        Vec::new()
    }
}

/// What a generator brings: an answer, and what is known of it.
///
/// ```
/// use cache_ai::{Finish, Generated, Usage};
///
/// let answer = Generated::new("Paris".to_owned()).usage(Usage::new(12, 3)).finish(Finish::Stop);
/// ```
#[derive(Clone, Debug)]
pub struct Generated<T> {
    pub(crate) answer: T,
    pub(crate) outcome: Outcome,
    pub(crate) invalid: Option<String>,
}

impl<T> Generated<T> {
    /// An answer of which nothing else is known.
    pub fn new(answer: T) -> Self {
        Self { answer, outcome: Outcome::default(), invalid: None }
    }

    /// What was used.
    #[must_use]
    pub fn usage(mut self, usage: Usage) -> Self {
        self.outcome.usage = usage;
        self
    }

    /// Why the model stopped.
    #[must_use]
    pub fn finish(mut self, finish: Finish) -> Self {
        self.outcome.finish = finish;
        self
    }

    /// The model refused to answer.
    #[must_use]
    pub fn refusal(mut self, is_refusal: bool) -> Self {
        self.outcome.is_refusal = is_refusal;
        self
    }

    /// The answer is not as it should be, and must not be kept. Its caller gets it; `why` is for your own reading and is not kept.
    #[must_use]
    pub fn invalid(mut self, why: impl Into<String>) -> Self {
        self.invalid = Some(why.into());
        self
    }
}

impl<A: Answer> Generated<A> {
    /// An answer that says of itself how it ended.
    pub fn of(answer: A) -> Self {
        let outcome = answer.outcome();
        Self { answer, outcome, invalid: None }
    }
}
