//! What stored bytes say of themselves, without their value.

use cache_core::{Key, Version};

use crate::compression::Method;
use crate::envelope::{SEAL_LEN, SEALED, verified, version_of};
use crate::fields::Fields;
use crate::{Header, OpenError};

/// What is stored, as far as it can be told without the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Looked {
    /// A value, and how it is packed.
    Value(Header, Packing),
    /// A placeholder: somebody is loading the value.
    Lease(Version),
}

/// How a payload is packed. Lengths are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packing {
    /// The name of the compression, `"lz4"` or `"zstd"`; `None` if there is none.
    pub compression: Option<&'static str>,
    /// Whether it is sealed.
    pub sealed: bool,
    /// Of the serialised value.
    pub plain: usize,
    /// Of what is stored for it, without header and seal.
    pub packed: usize,
}

/// Looks at stored bytes without unpacking the payload: sealed values need no key for it, and long ones no memory.
///
/// ```
/// use cache_codec::{Compression, Looked, look, seal};
/// # use std::time::Duration;
/// # use cache_core::{Format, Namespace, Stamp, VersionSource};
/// # let minute = Duration::from_secs(60);
/// # let header = cache_codec::Header {
/// #     version: VersionSource::new().value(), format: Format::Msgpack, fresh: minute, total: minute, cost: minute,
/// #     stamp: Stamp::default(), tags: None, schema: None, created_unix_ms: 0,
/// # };
///
/// let key = Namespace::new("app")?.key("k")?;
/// let stored = seal(&header, &key, &[7; 5000], &Compression::default())?;
/// let Ok(Looked::Value(header, packing)) = look(&stored, &key) else { panic!() };
/// assert_eq!(header.fresh, minute);
/// assert_eq!((packing.plain, packing.sealed), (5000, false));
/// # Ok::<(), cache_core::Error>(())
/// ```
///
/// # Errors
/// As [`open`](crate::open), but lengths are not compared with limits, no compression and no key is missed, and what only
/// unpacking would show is not found.
pub fn look(stored: &[u8], key: &Key) -> Result<Looked, OpenError> {
    let version = version_of(stored)?;
    let mut fields = Fields::new(verified(stored, key)?);
    if version.is_lease() {
        return Ok(Looked::Lease(version));
    }
    let header = Header::read(version, &mut fields)?;
    let (method, plain) = (fields.u8()?, fields.u32()?);
    let sealed = method & SEALED != 0;
    let packing = Packing {
        compression: Method::named(method & !SEALED)?,
        sealed,
        plain: usize::try_from(plain).unwrap_or(usize::MAX),
        packed: fields.rest().len().saturating_sub(if sealed { SEAL_LEN } else { 0 }),
    };
    Ok(Looked::Value(header, packing))
}
