//! What options an operation has.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use cache_core::{Error, Problems};
use serde::Serialize;

use crate::canonical;

/// The options of an operation: their names and types, what they are when absent, and what becomes of others.
///
/// With a schema `{"max_length": 100}` and `{"max_length": 100.0}` are one question, an option with a default may be left
/// out, and a misspelt name is an error.
///
/// ```
/// use cache_ai::{OptionKind, OptionSchema};
///
/// let schema = OptionSchema::new()
///     .option("max_length", OptionKind::Integer)
///     .option_or("style", OptionKind::Text, "plain")?;
/// # Ok::<(), cache_ai::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct OptionSchema {
    options: Vec<OptionRule>,
    drops_unknown: bool,
    text: Option<TextRule>,
}

#[derive(Clone, Debug)]
struct OptionRule {
    name: String,
    kind: OptionKind,
    /// Canonical.
    default: Option<Vec<u8>>,
}

#[derive(Clone)]
struct TextRule(Arc<dyn Fn(&str) -> String + Send + Sync>);

impl fmt::Debug for TextRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TextRule")
    }
}

/// The type of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OptionKind {
    /// A number without a fraction.
    Integer,
    /// Any number.
    Number,
    /// A text.
    Text,
    /// Yes or no.
    Flag,
    /// Anything.
    Any,
}

impl OptionKind {
    fn takes(self, value: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Integer => value.starts_with(b"i"),
            Self::Number => matches!(value.first(), Some(b'i' | b'd')),
            Self::Text => value.starts_with(b"s"),
            Self::Flag => matches!(value.first(), Some(b't' | b'f')),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Text => "a text",
            Self::Flag => "true or false",
            Self::Any => "anything",
        }
    }
}

impl OptionSchema {
    /// No options, and an error for any that is given.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an option. If it is absent, that is something else than any value.
    #[must_use]
    pub fn option(mut self, name: impl Into<String>, kind: OptionKind) -> Self {
        self.options.push(OptionRule { name: name.into(), kind, default: None });
        self
    }

    /// Adds an option that has this value when it is absent.
    ///
    /// # Errors
    /// [`Validation`](cache_core::ErrorKind::Validation) for a default that is not of the type or cannot be written down.
    pub fn option_or(
        mut self,
        name: impl Into<String>,
        kind: OptionKind,
        default: impl Serialize,
    ) -> Result<Self, Error> {
        let (name, mut bytes) = (name.into(), Vec::new());
        canonical::append(&mut bytes, &default).map_err(canonical::Problem::into_error)?;
        let mut problems = Problems::default();
        problems
            .check(kind.takes(&bytes), || format!("the default of option `{name}` is not {}", kind.as_str()));
        problems.validation()?;
        self.options.push(OptionRule { name, kind, default: Some(bytes) });
        Ok(self)
    }

    /// Options that are not declared are left out of the key, instead of being an error. Only for options that change
    /// nothing about the answer.
    #[must_use]
    pub fn drop_unknown(mut self) -> Self {
        self.drops_unknown = true;
        self
    }

    /// How a text is written before it is looked at, for example in lower case. Texts that come out the same share an
    /// answer, so it must take away only what no model cares about.
    #[must_use]
    pub fn normalise_text_by(mut self, rule: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        self.text = Some(TextRule(Arc::new(rule)));
        self
    }

    pub(crate) fn normalise_text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match &self.text {
            Some(TextRule(rule)) => Cow::Owned(rule(text)),
            None => Cow::Borrowed(text),
        }
    }

    /// The options as they go into the key: a canonical object.
    ///
    /// # Errors
    /// One [`Validation`](cache_core::ErrorKind::Validation) error that lists all that is wrong.
    pub(crate) fn normalise<'a>(
        &'a self,
        operation: &str,
        given: impl Iterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Vec<u8>, Error> {
        let mut problems = Problems::default();
        let mut fields: Vec<(&str, &[u8])> = Vec::new();
        for (name, value) in given {
            match self.options.iter().find(|rule| rule.name == name) {
                Some(rule) => {
                    problems.check(rule.kind.takes(value), || {
                        format!("option `{name}` of `{operation}` must be {}", rule.kind.as_str())
                    });
                    fields.push((name, value));
                }
                None if self.drops_unknown => {}
                None => {
                    let known: Vec<&str> = self.options.iter().map(|rule| &*rule.name).collect();
                    problems.add(format!(
                        "`{operation}` has no option `{name}`, there are: {}",
                        known.join(", ")
                    ));
                }
            }
        }
        problems.validation()?;
        for rule in &self.options {
            if let Some(default) = &rule.default
                && fields.iter().all(|(name, _)| *name != rule.name)
            {
                fields.push((&rule.name, default));
            }
        }
        fields.sort_unstable();
        Ok(canonical::object(fields.into_iter()))
    }
}
