//! The one error of every crate here.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// A source error as the standard library boxes it.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// What the caller can do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The store cannot be reached, is not asked because it kept failing, or takes no changes just now. Trying again later may
    /// work.
    Unavailable,
    /// A time bound passed before the answer came. Whether a write took place is unknown.
    Timeout,
    /// The caller's input is outside what is allowed; the message lists what is wrong and what is allowed.
    Validation,
    /// The settings contradict themselves, the platform or the compiled features.
    Configuration,
    /// A key, a value or an entry is larger than its bound, which the message names in bytes.
    TooLarge,
    /// A value cannot be encoded, or stored bytes cannot be read.
    Codec,
    /// The caller's loader failed, panicked or was abandoned.
    Load,
    /// The cache was closed.
    Closed,
    /// The store cannot do this; its [`Capability`](crate::Capability) said so beforehand.
    Unsupported,
    /// A defect in this library. Please report it.
    Internal,
}

impl ErrorKind {
    /// The kind as one lower-case word, stable for logs and metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Validation => "validation",
            Self::Configuration => "configuration",
            Self::TooLarge => "too_large",
            Self::Codec => "codec",
            Self::Load => "load",
            Self::Closed => "closed",
            Self::Unsupported => "unsupported",
            Self::Internal => "internal",
        }
    }
}

/// Why an operation failed: kind, operation, redacted key, message and source.
///
/// Cloning is cheap, so that all waiters of one load share one error. Keys are shown redacted (see
/// [`redact`](crate::redact)); values and passwords never appear.
///
/// ```
/// use cache_core::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::Timeout, "tier 2 did not answer within 250 ms")
///     .in_operation("get")
///     .for_key("session:3f9c2a");
/// assert_eq!(error.to_string(), "get of `session:…` (14 bytes): tier 2 did not answer within 250 ms");
/// assert!(error.is_retryable() && error.is_infrastructure());
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    operation: Option<&'static str>,
    key: Option<String>,
    message: String,
    queued: bool,
    reads_go_on: bool,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of this kind. The message says what is wrong and what is allowed, without a trailing full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Arc::new(Inner {
            kind,
            operation: None,
            key: None,
            message: message.into(),
            queued: false,
            reads_go_on: false,
            source: None,
        }))
    }

    /// Names the operation that failed, unless a deeper layer already did.
    #[must_use]
    pub fn in_operation(mut self, operation: &'static str) -> Self {
        let inner = Arc::make_mut(&mut self.0);
        inner.operation.get_or_insert(operation);
        self
    }

    /// Names the key concerned, redacted, unless a deeper layer already did.
    #[must_use]
    pub fn for_key(mut self, key: &str) -> Self {
        let inner = Arc::make_mut(&mut self.0);
        inner.key.get_or_insert_with(|| crate::redact(key));
        self
    }

    /// Puts before the message what it is about: the place of an item, an address. Nothing secret.
    ///
    /// ```
    /// use cache_core::{Error, ErrorKind};
    ///
    /// let error = Error::new(ErrorKind::Validation, "the key is empty").at("keys[3]");
    /// assert_eq!(error.message(), "keys[3]: the key is empty");
    /// ```
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        let inner = Arc::make_mut(&mut self.0);
        inner.message = format!("{place}: {}", inner.message);
        self
    }

    /// Attaches the error that caused this one.
    #[must_use]
    pub fn because(mut self, source: impl Into<BoxError>) -> Self {
        Arc::make_mut(&mut self.0).source = Some(Arc::from(source.into()));
        self
    }

    /// Marks an invalidation that took effect here and will be sent when the store is back.
    #[must_use]
    pub fn queued(mut self) -> Self {
        Arc::make_mut(&mut self.0).queued = true;
        self
    }

    /// Marks the refusal of a change by a store that still answers reads.
    #[must_use]
    pub fn while_reads_go_on(mut self) -> Self {
        Arc::make_mut(&mut self.0).reads_go_on = true;
        self
    }

    /// Whether the store refused a change and still answers reads: it has no memory for more, or is a replica.
    pub fn do_reads_go_on(&self) -> bool {
        self.0.reads_go_on
    }

    /// What the caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The operation that failed, for example `"get"`.
    pub fn operation(&self) -> Option<&'static str> {
        self.0.operation
    }

    /// What is wrong, and what is allowed.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Whether the same call may succeed later without a change by the caller.
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind(), ErrorKind::Unavailable | ErrorKind::Timeout)
    }

    /// Whether the store or the way to it failed, rather than the caller's input or loader.
    #[doc(alias = "InfrastructureError")]
    pub fn is_infrastructure(&self) -> bool {
        matches!(self.kind(), ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Closed)
    }

    /// Whether the caller's input or settings were refused.
    #[doc(alias = "ValidationError")]
    pub fn is_validation(&self) -> bool {
        matches!(self.kind(), ErrorKind::Validation | ErrorKind::Configuration | ErrorKind::TooLarge)
    }

    /// Whether this invalidation took effect locally and waits to be sent to the store.
    pub fn is_queued(&self) -> bool {
        self.0.queued
    }

    /// The first `E` in the chain of sources, for example the loader's own error.
    ///
    /// ```
    /// use cache_core::{Error, ErrorKind};
    ///
    /// let own = std::io::Error::other("the database is away");
    /// let error = Error::new(ErrorKind::Load, "the loader failed").because(own);
    /// assert_eq!(error.downcast_ref::<std::io::Error>().map(ToString::to_string).as_deref(), Some("the database is away"));
    /// assert!(error.downcast_ref::<std::fmt::Error>().is_none());
    /// ```
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        let mut source: Option<&(dyn StdError + 'static)> = match &self.0.source {
            Some(source) => Some(source.as_ref()),
            None => None,
        };
        while let Some(error) = source {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            source = error.source();
        }
        None
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.operation, &self.0.key) {
            (Some(operation), Some(key)) => write!(f, "{operation} of {key}: ")?,
            (Some(operation), None) => write!(f, "{operation}: ")?,
            (None, Some(key)) => write!(f, "{key}: ")?,
            (None, None) => {}
        }
        f.write_str(&self.0.message)?;
        if self.0.queued {
            f.write_str(" (done here, queued for the store)")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Error");
        out.field("kind", &self.0.kind);
        if let Some(operation) = self.0.operation {
            out.field("operation", &operation);
        }
        if let Some(key) = &self.0.key {
            out.field("key", key);
        }
        out.field("message", &self.0.message);
        if self.0.queued {
            out.field("queued", &true);
        }
        if let Some(source) = &self.0.source {
            out.field("source", source);
        }
        out.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.0.source {
            Some(source) => Some(source.as_ref()),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loaders_own_error_can_be_had_back_by_all_waiters() {
        let io = std::io::Error::other("disk on fire");
        let error = Error::new(ErrorKind::Load, "the loader failed").because(io);
        let shared = error.clone();
        assert_eq!(
            shared.downcast_ref::<std::io::Error>().map(ToString::to_string).as_deref(),
            Some("disk on fire")
        );
        assert!(shared.downcast_ref::<fmt::Error>().is_none());
    }

    #[test]
    fn a_deeper_layers_context_is_kept() {
        let error = Error::new(ErrorKind::Unavailable, "x")
            .in_operation("put")
            .in_operation("set")
            .for_key("a:1")
            .for_key("b:2");
        assert_eq!(error.to_string(), "put of `a:…` (3 bytes): x");
    }
}
