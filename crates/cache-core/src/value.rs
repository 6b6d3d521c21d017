//! A cached value whose type only its reader knows.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

/// How a payload is serialised. The numbers are part of the stored format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Format {
    /// MessagePack with field names: compact, fast, and fields may come, go and move. The default.
    #[default]
    Msgpack = 1,
    /// JSON: for other languages and the eye.
    Json = 2,
    /// bincode 2: compact, knows no field names; only with a declared schema.
    Bincode = 3,
}

impl Format {
    /// The format of this number, if there is one.
    pub fn from_id(id: u8) -> Option<Self> {
        match id {
            1 => Some(Self::Msgpack),
            2 => Some(Self::Json),
            3 => Some(Self::Bincode),
            _ => None,
        }
    }

    /// The number that the stored format uses.
    pub const fn id(self) -> u8 {
        self as u8
    }
}

/// A type that can be cached: serialisable, and shared between threads. Implemented for all that qualify.
pub trait Cacheable: erased_serde::Serialize + Any + Send + Sync {}

impl<T: serde::Serialize + Any + Send + Sync> Cacheable for T {}

/// A serialised, uncompressed payload.
#[derive(Clone, PartialEq, Eq)]
pub struct Encoded {
    /// How it is serialised.
    pub format: Format,
    /// The serialised value.
    pub bytes: Bytes,
}

impl fmt::Debug for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Encoded({:?}, {} bytes)", self.format, self.bytes.len())
    }
}

/// What tier 1 holds: the serialised value until somebody asks for it as `T`, then the `Arc<T>` itself.
///
/// Cloning copies a pointer. Contents are never shown by `Debug`.
#[derive(Clone)]
pub enum Value {
    /// As `set` or the store gave it; a reader has to decode it.
    Encoded(Arc<Encoded>),
    /// The typed value. A hit clones the `Arc`.
    Typed(Arc<dyn Cacheable>),
}

/// What a reader made of a serialised value who sees less than was stored, or would store it in other bytes; and the
/// bytes, for all others. It stands where typed values stand, so that a hit asks for one type.
struct View {
    typed: Arc<dyn Cacheable>,
    encoded: Arc<Encoded>,
}

impl serde::Serialize for View {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        erased_serde::serialize(&*self.typed, serializer)
    }
}

impl Value {
    /// A typed value; no copy is made.
    pub fn typed<T: Cacheable>(value: Arc<T>) -> Self {
        Self::Typed(value)
    }

    /// A typed value beside the bytes that it was read from; no copy is made.
    pub fn viewed<T: Cacheable>(value: Arc<T>, encoded: Arc<Encoded>) -> Self {
        Self::typed(Arc::new(View { typed: value, encoded }))
    }

    /// The bytes that were stored, if they are held.
    pub fn encoded(&self) -> Option<&Arc<Encoded>> {
        match self {
            Self::Encoded(encoded) => Some(encoded),
            Self::Typed(value) => view_of(value).map(|view| &view.encoded),
        }
    }

    /// The typed value as `T`, if that is what is held.
    ///
    /// # Errors
    /// The value itself, if it is encoded or of another type.
    #[inline]
    pub fn downcast<T: Any + Send + Sync>(self) -> Result<Arc<T>, Self> {
        match self {
            Self::Typed(value) if <dyn Any>::is::<T>(&*value) => of_its_type(value),
            other => other.downcast_view(),
        }
    }

    /// Out of line: a hit of a typed value has no part in it.
    #[cold]
    #[inline(never)]
    fn downcast_view<T: Any + Send + Sync>(self) -> Result<Arc<T>, Self> {
        match &self {
            Self::Typed(value) => match view_of(value) {
                Some(view) if <dyn Any>::is::<T>(&*view.typed) => of_its_type(Arc::clone(&view.typed)),
                _ => Err(self),
            },
            Self::Encoded(_) => Err(self),
        }
    }
}

#[inline]
fn view_of(value: &Arc<dyn Cacheable>) -> Option<&View> {
    let any: &dyn Any = &**value;
    any.downcast_ref()
}

/// The type was tested, so this always succeeds.
#[inline]
fn of_its_type<T: Any + Send + Sync>(value: Arc<dyn Cacheable>) -> Result<Arc<T>, Value> {
    let any: Arc<dyn Any + Send + Sync> = value;
    any.downcast().map_err(|_| Value::Typed(Arc::new(())))
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encoded(encoded) => encoded.fmt(f),
            Self::Typed(_) => f.write_str("Typed(…)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typed_value_comes_back_as_the_same_allocation() {
        let original = Arc::new(vec![1u8, 2]);
        let value = Value::typed(Arc::clone(&original));
        let back = value.clone().downcast::<Vec<u8>>().unwrap();
        assert!(Arc::ptr_eq(&original, &back));
        let value = value.downcast::<String>().unwrap_err();
        assert!(value.downcast::<Vec<u8>>().is_ok(), "a wrong guess loses nothing");
    }

    #[test]
    fn a_view_is_had_as_its_type_and_keeps_the_bytes_for_others() {
        let encoded = Arc::new(Encoded { format: Format::Json, bytes: Bytes::from_static(b"[1,2]") });
        let (view, bytes) = (Arc::new(1u8), Arc::clone(&encoded));
        let value = Value::viewed(Arc::clone(&view), bytes);
        assert!(Arc::ptr_eq(&view, &value.clone().downcast::<u8>().unwrap()));
        let kept = value.downcast::<String>().unwrap_err();
        assert!(Arc::ptr_eq(&encoded, kept.encoded().unwrap()));
        assert_eq!(size_of::<Value>(), 16, "a view takes no room where there is none");
    }

    #[test]
    fn formats_have_the_numbers_they_always_had() {
        for (format, id) in [(Format::Msgpack, 1), (Format::Json, 2), (Format::Bincode, 3)] {
            assert_eq!(format.id(), id);
            assert_eq!(Format::from_id(id), Some(format));
        }
        assert_eq!(Format::from_id(0), None);
        assert_eq!(Format::from_id(4), None);
    }
}
