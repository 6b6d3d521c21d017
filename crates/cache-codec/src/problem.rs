//! What a decoder complained about, without the data that it complained about.

/// Deepest nesting that is decoded. Deeper bytes are refused, because each level takes room on the stack.
pub(crate) const MAX_DEPTH: usize = 128;

/// What went wrong in a decoder, in words that hold no part of the value.
#[derive(Debug)]
pub(crate) struct Problem(pub(crate) String);

impl Problem {
    pub(crate) fn trailing() -> Self {
        Self("bytes are left over after the value".into())
    }

    pub(crate) fn too_deep() -> Self {
        Self(format!("nested more than {MAX_DEPTH} levels deep"))
    }

    pub(crate) fn ends_early() -> Self {
        Self("the bytes end before the value does".into())
    }

    pub(crate) fn unfit() -> Self {
        Self("the bytes and the type do not fit together".into())
    }

    /// The part of a message by `serde` that speaks of the type. The other part quotes the value, which must not
    /// reach a log.
    pub(crate) fn from_serde(message: &str) -> Self {
        for about_a_field in ["missing field `", "duplicate field `"] {
            if let Some(rest) = message.strip_prefix(about_a_field) {
                let name = rest.split('`').next().unwrap_or_default();
                return Self(format!("{about_a_field}{name}`"));
            }
        }
        match message.rsplit_once(", expected ") {
            Some((_, expected)) => Self(format!("found something else than {expected}")),
            None => Self::unfit(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_names_the_type_and_never_the_value() {
        let table = [
            ("missing field `name`", "missing field `name`"),
            ("missing field `name` at line 1 column 2", "missing field `name`"),
            ("invalid type: string \"SECRET\", expected u32", "found something else than u32"),
            (
                "invalid value: string \"SECRET, expected SECRET\", expected a date",
                "found something else than a date",
            ),
            ("unknown variant `SECRET`, expected `A` or `B`", "found something else than `A` or `B`"),
            ("SECRET is no colour", "the bytes and the type do not fit together"),
        ];
        for (message, shown) in table {
            assert_eq!(Problem::from_serde(message).0, shown);
        }
    }
}
