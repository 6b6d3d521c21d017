//! Whether and how a payload is compressed.

use cache_core::{Error, Problems};

use crate::OpenError;

/// When payloads are compressed, and how hard.
///
/// A payload longer than the threshold is compressed, and is stored so if that made it smaller. Levels 1 to 3 are LZ4,
/// which knows no levels; 4 to 9 are the levels of these numbers of zstd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compression {
    threshold: usize,
    level: Level,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Off,
    #[cfg(feature = "lz4")]
    Lz4,
    #[cfg(feature = "zstd")]
    Zstd(u8),
}

impl Compression {
    /// The highest threshold: 1 MiB.
    pub const MAX_THRESHOLD: usize = 1 << 20;
    /// The threshold of [`Compression::default`], in bytes.
    pub const DEFAULT_THRESHOLD: usize = 1000;

    /// Compresses what is longer than `threshold` (0 to 1 MiB, in bytes; 0 tries everything) at `level` (1 to 9).
    ///
    /// ```
    /// use cache_codec::Compression;
    ///
    /// let error = Compression::new(2 << 20, 10).unwrap_err();
    /// assert!(error.message().starts_with("2 problems: the compression threshold is 2097152 bytes, 0 to 1048576 are allowed"));
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](cache_core::ErrorKind::Configuration), listing all that is wrong: threshold or
    /// level out of range, or a level whose compression was not built in.
    pub fn new(threshold: usize, level: u8) -> Result<Self, Error> {
        let mut problems = Problems::default();
        problems.check(threshold <= Self::MAX_THRESHOLD, || {
            format!(
                "the compression threshold is {threshold} bytes, 0 to {} are allowed",
                Self::MAX_THRESHOLD
            )
        });
        let level = Level::of(level).unwrap_or_else(|problem| {
            problems.add(problem);
            Level::Off
        });
        problems.configuration()?;
        Ok(Self { threshold, level })
    }

    /// Compresses nothing. What others compressed is read all the same.
    pub const fn off() -> Self {
        Self { threshold: 0, level: Level::Off }
    }

    /// The compressed payload, if it is worth it.
    pub(crate) fn pack(&self, payload: &[u8]) -> Option<(Method, Vec<u8>)> {
        if payload.len() <= self.threshold {
            return None;
        }
        match self.level {
            Level::Off => None,
            #[cfg(feature = "lz4")]
            Level::Lz4 => pack_lz4(payload),
            #[cfg(feature = "zstd")]
            Level::Zstd(level) => pack_zstd(payload, level),
        }
    }
}

#[cfg(feature = "lz4")]
fn pack_lz4(payload: &[u8]) -> Option<(Method, Vec<u8>)> {
    let packed = lz4_flex::block::compress(payload);
    (packed.len() < payload.len()).then_some((Method::Lz4, packed))
}

#[cfg(all(feature = "zstd", not(feature = "lz4")))]
fn pack_lz4(_: &[u8]) -> Option<(Method, Vec<u8>)> {
    None
}

#[cfg(feature = "zstd")]
fn pack_zstd(payload: &[u8], level: u8) -> Option<(Method, Vec<u8>)> {
    // A buffer one byte short of the payload: what does not fit is not worth it.
    let mut packed = vec![0; payload.len().saturating_sub(1)];
    let len = zstd::bulk::compress_to_buffer(payload, packed.as_mut_slice(), i32::from(level)).ok()?;
    packed.truncate(len);
    // A reader would take a better ratio for a bomb. LZ4 cannot reach it.
    if Method::Zstd.believes(len, payload.len()) { Some((Method::Zstd, packed)) } else { pack_lz4(payload) }
}

impl Default for Compression {
    /// LZ4 above 1000 bytes; nothing in a build without LZ4.
    fn default() -> Self {
        Self::new(Self::DEFAULT_THRESHOLD, 1).unwrap_or(Self::off())
    }
}

impl Level {
    fn of(level: u8) -> Result<Self, String> {
        match level {
            #[cfg(feature = "lz4")]
            1..=3 => Ok(Self::Lz4),
            #[cfg(not(feature = "lz4"))]
            1..=3 => Err(format!(
                "compression level {level} needs LZ4, which this build does not have; enable the feature `lz4`"
            )),
            #[cfg(feature = "zstd")]
            4..=9 => Ok(Self::Zstd(level)),
            #[cfg(not(feature = "zstd"))]
            4..=9 => Err(format!(
                "compression level {level} needs zstd, which this build does not have; \
                 enable the feature `zstd` or use 1 to 3"
            )),
            _ => Err(format!("the compression level is {level}, 1 to 9 are allowed")),
        }
    }
}

/// How a payload is compressed. The numbers are part of the stored format, where 0 stands for not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// One LZ4 block, without a length of its own.
    Lz4 = 1,
    /// One or more zstd frames.
    Zstd = 2,
}

impl Method {
    pub(crate) const fn id(self) -> u8 {
        self as u8
    }

    pub(crate) fn from_id(id: u8) -> Result<Option<Self>, OpenError> {
        match id {
            0 => Ok(None),
            1 if cfg!(feature = "lz4") => Ok(Some(Self::Lz4)),
            1 => Err(OpenError::MissingCodec("LZ4")),
            2 if cfg!(feature = "zstd") => Ok(Some(Self::Zstd)),
            2 => Err(OpenError::MissingCodec("zstd")),
            _ => Err(OpenError::MissingCodec("a compression of a later release")),
        }
    }

    /// The name of this number's compression, whether or not it is built in; `None` for none.
    pub(crate) fn named(id: u8) -> Result<Option<&'static str>, OpenError> {
        match id {
            0 => Ok(None),
            1 => Ok(Some("lz4")),
            2 => Ok(Some("zstd")),
            _ => Err(OpenError::MissingCodec("a compression of a later release")),
        }
    }

    /// The payload of `len` bytes that `packed` holds. The caller has compared `len` with the limits.
    pub(crate) fn unpack(self, packed: &[u8], len: usize) -> Result<Vec<u8>, OpenError> {
        if !self.believes(packed.len(), len) {
            return Err(OpenError::Corrupt("more bytes are declared than the compressed payload can hold"));
        }
        #[allow(unused_mut, reason = "used in a build with one of the two")]
        let mut payload = vec![0; len];
        let written = match self {
            #[cfg(feature = "lz4")]
            Self::Lz4 => lz4_flex::block::decompress_into(packed, &mut payload).ok(),
            #[cfg(feature = "zstd")]
            Self::Zstd => zstd::bulk::decompress_to_buffer(packed, payload.as_mut_slice()).ok(),
            #[allow(unreachable_patterns, reason = "reachable in a build without one of the two")]
            _ => None,
        };
        if written == Some(len) {
            Ok(payload)
        } else {
            Err(OpenError::Corrupt("the compressed payload does not give what it declares"))
        }
    }

    /// Whether `packed` bytes may hold `len`.
    const fn believes(self, packed: usize, len: usize) -> bool {
        let ratio = match self {
            // What the block format can express: a byte lengthens a match by at most 255.
            Self::Lz4 => 255,
            // Ours to choose: zstd can express more than 30 000.
            Self::Zstd => 1000,
        };
        len <= packed.saturating_mul(ratio)
    }
}
