//! How large stored bytes may be, looked at before memory is taken for them.

use crate::OpenError;

/// The largest values that [`open`](crate::open) takes in. What is larger is refused before memory is taken for it.
///
/// ```
/// use cache_codec::Limits;
///
/// let small = Limits { value: 1 << 20, ..Limits::default() };
/// assert_eq!((small.value, small.decoded), (1 << 20, 64 << 20));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest value as it is stored, in bytes, without the envelope around it. 8 MiB by default.
    pub value: usize,
    /// Longest value after decompression, in bytes; what is stored uncompressed must not be longer either. 64 MiB by default.
    pub decoded: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { value: 8 << 20, decoded: 64 << 20 }
    }
}

impl Limits {
    /// Whether a value stored in this many bytes may be looked at.
    pub(crate) fn check_value(&self, size: usize) -> Result<(), OpenError> {
        check("stored value", size, self.value)
    }

    /// Whether memory may be taken for a decompressed value of this length.
    pub(crate) fn check_decoded(&self, size: usize) -> Result<(), OpenError> {
        check("decompressed value", size, self.decoded)
    }
}

fn check(what: &'static str, size: usize, limit: usize) -> Result<(), OpenError> {
    if size > limit { Err(OpenError::TooLarge { what, size, limit }) } else { Ok(()) }
}
