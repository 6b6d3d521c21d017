//! What an envelope says of its value.

use std::sync::Arc;
use std::time::Duration;

use cache_core::{Error, ErrorKind, Format, MAX_TAG_LEN, MAX_TAGS, Problems, Stamp, Version, check_tag};

use crate::fields::Fields;
use crate::{OpenError, serializers};

const HAS_SCHEMA: u8 = 1;

/// What is stored with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Which write it is.
    pub version: Version,
    /// How the payload is serialised.
    pub format: Format,
    /// How long the value is fresh, from its making: 0 for one that was stale at once. Stored in whole milliseconds, a fraction
    /// rounded up.
    pub fresh: Duration,
    /// How long it may be kept at all, from its making; at least `fresh`. Stored like it.
    pub total: Duration,
    /// How long the loader took; 0 if none did. Stored in whole microseconds, a fraction cut off.
    pub cost: Duration,
    /// Where the namespace's sequence stood when the load began; all zero where nothing keeps one.
    pub stamp: Stamp,
    /// The tags, if there are any: at most [`MAX_TAGS`], each of 1 to [`MAX_TAG_LEN`] bytes.
    pub tags: Option<Arc<[Box<str>]>>,
    /// The [fingerprint](crate::fingerprint) of the declared schema, if one was declared.
    pub schema: Option<u64>,
    /// When the value was made, in milliseconds since 1970 by its maker's wall clock. For display only.
    pub created_unix_ms: u64,
}

impl Header {
    /// Length in bytes of all fields between the key's hash and the payload's.
    const FIXED_LEN: usize = 1 + 1 + 7 * 8 + 1;
    /// The longest that [`Header::encoded_len`] gets.
    pub(crate) const MAX_LEN: usize = Self::FIXED_LEN + MAX_TAGS * (2 + MAX_TAG_LEN);

    pub(crate) fn check(&self) -> Result<(), Error> {
        if !serializers::is_built(self.format) {
            return Err(serializers::not_built(self.format));
        }
        if self.format == Format::Bincode && self.schema.is_none() {
            return Err(Error::new(
                ErrorKind::Configuration,
                "bincode needs a declared schema, because it decodes one type as another without complaint",
            ));
        }
        let mut problems = Problems::default();
        problems.check(!self.version.is_lease(), || "the version is that of a lease".into());
        problems.check(self.fresh <= self.total, || {
            format!("the value is fresh for {:?} but kept for {:?} only", self.fresh, self.total)
        });
        problems.check(self.tags().len() <= MAX_TAGS, || {
            format!("{} tags were given, at most {MAX_TAGS} are allowed", self.tags().len())
        });
        for tag in self.tags() {
            problems.take(check_tag(tag));
        }
        problems.validation()
    }

    pub(crate) fn encoded_len(&self) -> usize {
        Self::FIXED_LEN + self.tags().iter().map(|tag| 2 + tag.len()).sum::<usize>()
    }

    /// Appends all but the version. The header has been checked, so the lengths fit their fields.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.push(self.format.id());
        out.push(if self.schema.is_some() { HAS_SCHEMA } else { 0 });
        for number in [
            millis_up(self.fresh),
            millis_up(self.total),
            u64::try_from(self.cost.as_micros()).unwrap_or(u64::MAX),
            self.stamp.nonce,
            self.stamp.seq,
            self.created_unix_ms,
            self.schema.unwrap_or_default(),
        ] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.push(u8::try_from(self.tags().len()).unwrap_or(u8::MAX));
        for tag in self.tags() {
            out.extend_from_slice(&u16::try_from(tag.len()).unwrap_or(u16::MAX).to_be_bytes());
            out.extend_from_slice(tag.as_bytes());
        }
    }

    pub(crate) fn read(version: Version, fields: &mut Fields<'_>) -> Result<Self, OpenError> {
        let format = Format::from_id(fields.u8()?)
            .ok_or(OpenError::MissingCodec("a serializer of a later release"))?;
        if !serializers::is_built(format) {
            return Err(OpenError::MissingCodec(serializers::name(format)));
        }
        let flags = fields.u8()?;
        let fresh = Duration::from_millis(fields.u64()?);
        let total = Duration::from_millis(fields.u64()?);
        let cost = Duration::from_micros(fields.u64()?);
        let stamp = Stamp { nonce: fields.u64()?, seq: fields.u64()? };
        let created_unix_ms = fields.u64()?;
        let schema = match (flags, fields.u64()?) {
            (0, 0) if format == Format::Bincode => {
                return Err(OpenError::Corrupt("bincode without a schema"));
            }
            (0, 0) => None,
            (HAS_SCHEMA, schema) => Some(schema),
            _ => return Err(OpenError::Corrupt("flags of no meaning")),
        };
        if fresh > total {
            return Err(OpenError::Corrupt("fresh for longer than it is kept"));
        }
        let tags = read_tags(fields)?;
        Ok(Self { version, format, fresh, total, cost, stamp, tags, schema, created_unix_ms })
    }

    fn tags(&self) -> &[Box<str>] {
        self.tags.as_deref().unwrap_or_default()
    }
}

fn read_tags(fields: &mut Fields<'_>) -> Result<Option<Arc<[Box<str>]>>, OpenError> {
    let count = usize::from(fields.u8()?);
    if count > MAX_TAGS {
        return Err(OpenError::Corrupt("too many tags"));
    }
    let mut tags = Vec::with_capacity(count);
    for _ in 0..count {
        let len = usize::from(fields.u16()?);
        if len == 0 || len > MAX_TAG_LEN {
            return Err(OpenError::Corrupt("a tag's length is out of range"));
        }
        let tag = str::from_utf8(fields.bytes(len)?).map_err(|_| OpenError::Corrupt("a tag is not UTF-8"))?;
        tags.push(tag.into());
    }
    Ok((count > 0).then(|| tags.into()))
}

fn millis_up(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
