//! Why stored bytes cannot be used, and what is to be done about them.

use thiserror::Error;

/// What a reader that cannot use stored bytes does with them. It counts a miss in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Nothing: they may be of use to somebody else.
    LeaveAlone,
    /// Remove them, provided that they are still the bytes that were read.
    RemoveIfSame,
    /// Remove nothing, and suspect the link that brought them: the answer may belong to another question.
    SuspectLink,
}

/// Why [`open`](crate::open) refused stored bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// They do not start with a version of this cache: another program wrote them.
    #[error("the stored bytes do not start with a version of this cache")]
    Foreign,
    /// A later release wrote them, in this format version.
    #[error("the stored bytes have format version {0}, this release reads up to {latest}", latest = crate::FORMAT_VERSION)]
    Future(u8),
    /// They need a serializer or a compression that was not built in or that a later release has, or they are sealed with a
    /// key that the reader was not given.
    #[error("the stored bytes need {0}, which this build does not have")]
    MissingCodec(&'static str),
    /// They are intact, but were stored under another key: copied, or the answer to another question.
    #[error("the stored bytes are intact but belong to another key")]
    WrongKey,
    /// They are damaged, or nobody who keeps to the format wrote them.
    #[error("the stored bytes are damaged: {0}")]
    Corrupt(&'static str),
    /// They are not sealed, and the reader takes sealed values only.
    #[error("the stored value is not sealed, and only sealed ones are taken")]
    NotSealed,
    /// They are larger than the reader's [`Limits`](crate::Limits) allow.
    #[error("the {what} is {size} bytes long, at most {limit} are allowed")]
    TooLarge {
        /// Which length: `"stored value"` or `"decompressed value"`.
        what: &'static str,
        /// The length in bytes, as found or as declared.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
}

impl OpenError {
    /// What to do with the bytes.
    pub fn action(&self) -> Action {
        match self {
            Self::Foreign | Self::Future(_) | Self::MissingCodec(_) | Self::TooLarge { .. } => {
                Action::LeaveAlone
            }
            Self::WrongKey => Action::SuspectLink,
            // What was to be sealed and is not has no business in the store.
            Self::Corrupt(_) | Self::NotSealed => Action::RemoveIfSame,
        }
    }

    /// Why, as one word that is stable for logs and metric labels.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Foreign => "foreign",
            Self::Future(_) => "future",
            Self::MissingCodec(_) => "missing_codec",
            Self::WrongKey => "wrong_key",
            Self::Corrupt(_) => "corrupt",
            Self::NotSealed => "not_sealed",
            Self::TooLarge { .. } => "too_large",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_damaged_bytes_are_removed_and_only_a_wrong_key_suspects_the_link() {
        let table = [
            (OpenError::Foreign, Action::LeaveAlone, "foreign"),
            (OpenError::Future(9), Action::LeaveAlone, "future"),
            (OpenError::MissingCodec("JSON"), Action::LeaveAlone, "missing_codec"),
            (OpenError::WrongKey, Action::SuspectLink, "wrong_key"),
            (OpenError::Corrupt("x"), Action::RemoveIfSame, "corrupt"),
            (OpenError::NotSealed, Action::RemoveIfSame, "not_sealed"),
            (OpenError::TooLarge { what: "x", size: 2, limit: 1 }, Action::LeaveAlone, "too_large"),
        ];
        for (error, action, reason) in table {
            assert_eq!((error.action(), error.reason()), (action, reason), "{error}");
        }
    }
}
