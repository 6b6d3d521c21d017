//! What a failing cache is to a client.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use cache_factory::{Error, ErrorKind};

/// Why a request was not answered.
#[derive(Debug)]
pub(crate) enum Failed {
    /// Nobody is signed in.
    NotSignedIn,
    /// The cache could not help, or what it asked failed.
    Cache(Error),
    /// The system has no random numbers.
    NoRandomness,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Cache(error)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let (status, message) = match self {
            Self::NotSignedIn => (StatusCode::UNAUTHORIZED, "sign in first".to_owned()),
            Self::NoRandomness => (StatusCode::SERVICE_UNAVAILABLE, "try again later".to_owned()),
            // Keys and values are not in the message; what the loader said is.
            Self::Cache(error) => {
                let status = match error.kind() {
                    ErrorKind::Validation | ErrorKind::TooLarge => StatusCode::BAD_REQUEST,
                    ErrorKind::Load => StatusCode::BAD_GATEWAY,
                    _ => StatusCode::SERVICE_UNAVAILABLE,
                };
                (status, error.to_string())
            }
        };
        (status, message).into_response()
    }
}
