#![doc = include_str!("../README.md")]

#[cfg(feature = "bincode")]
mod bincode2;
mod buffer;
mod compression;
mod envelope;
mod error;
mod fields;
#[cfg(feature = "bincode")]
mod guard;
mod header;
#[cfg(feature = "json")]
mod json;
mod limits;
mod look;
mod msgpack;
mod problem;
mod schema;
#[cfg(feature = "seal")]
mod sealing;
mod serializers;

pub use compression::Compression;
pub use envelope::{FORMAT_VERSION, Opened, lease, open, seal};
pub use error::{Action, OpenError};
pub use header::Header;
pub use limits::Limits;
pub use look::{Looked, Packing, look};
pub use schema::fingerprint;
#[cfg(feature = "seal")]
pub use sealing::{Keyring, open_sealed, seal_with};
pub use serializers::{decode, encode, encode_erased};
