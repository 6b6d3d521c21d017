//! JSON.

use cache_core::BoxError;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::buffer::Buffer;
use crate::problem::Problem;

pub(crate) fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Buffer) -> Result<(), BoxError> {
    serde_json::to_writer(out, value).map_err(BoxError::from)
}

/// Depth is bounded and bytes left over are refused by `serde_json` itself.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| {
        let place = format!("at line {} column {}", error.line(), error.column());
        match error.classify() {
            serde_json::error::Category::Data => {
                let message = error.to_string();
                let message = message.strip_suffix(&format!(" {place}")).unwrap_or(&message);
                Problem(format!("{} {place}", Problem::from_serde(message).0))
            }
            // Messages about the syntax are fixed sentences.
            _ => Problem(error.to_string()),
        }
    })
}
