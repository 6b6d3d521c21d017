//! What a setting may be: in words, and as a part of the schema.

use std::fmt;

use serde_json::{Value, json};

/// What is allowed in a setting.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Allowed {
    /// Seconds, fractions too.
    Seconds {
        least: f64,
        most: f64,
    },
    Whole {
        least: u64,
        most: u64,
    },
    /// A part of one.
    Share,
    Flag,
    OneOf(&'static [&'static str]),
    /// A text that is not empty; what kind of text, in words.
    Text(&'static str),
    /// Seconds by name.
    Durations,
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seconds { least, most } => {
                write!(f, "seconds from {least} to {most}")?;
                let days = most / 86_400.0;
                if days > 1.0 { write!(f, " ({days} days)") } else { Ok(()) }
            }
            Self::Whole { least, most: u64::MAX } => write!(f, "a whole number, {least} or more,"),
            Self::Whole { least, most } => write!(f, "a whole number from {least} to {most}"),
            Self::Share => f.write_str("a number from 0 to 1"),
            Self::Flag => f.write_str("true or false"),
            Self::OneOf(words) => {
                for (at, word) in words.iter().enumerate() {
                    let before = match at {
                        0 => "",
                        _ if at + 1 == words.len() => " or ",
                        _ => ", ",
                    };
                    write!(f, "{before}`{word}`")?;
                }
                Ok(())
            }
            Self::Text(kind) => f.write_str(kind),
            Self::Durations => f.write_str("a table of seconds, or a text like qa=1800,translate=86400"),
        }
    }
}

impl Allowed {
    /// The same as a JSON Schema.
    pub(super) fn schema(&self) -> Value {
        let seconds = |least: f64, most: f64| json!({"type": "number", "minimum": least, "maximum": most});
        match *self {
            Self::Seconds { least, most } => seconds(least, most),
            Self::Whole { least, most: u64::MAX } => json!({"type": "integer", "minimum": least}),
            Self::Whole { least, most } => json!({"type": "integer", "minimum": least, "maximum": most}),
            Self::Share => json!({"type": "number", "minimum": 0, "maximum": 1}),
            Self::Flag => json!({"type": "boolean"}),
            Self::OneOf(words) => json!({"enum": words}),
            Self::Text(_) => json!({"type": "string", "minLength": 1}),
            Self::Durations => json!({"anyOf": [
                {"type": "object", "additionalProperties": seconds(0.001, 31_536_000.0)},
                {"type": "string", "minLength": 1},
            ]}),
        }
    }
}
