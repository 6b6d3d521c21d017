//! Answers, and the headers that all of them have.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use serde::Serialize;

const ALWAYS: [(HeaderName, &str); 6] = [
    (CACHE_CONTROL, "no-store"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    // Other sites may not even embed it.
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    // The page has one of its own.
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
];

pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    // Numbers, words and maps with words as keys: there is nothing in it that JSON cannot say.
    let body = serde_json::to_string(body).unwrap_or_default();
    with(status, "application/json", body)
}

pub(super) fn text(status: StatusCode, body: &'static str) -> Response {
    with(status, "text/plain; charset=utf-8", body)
}

pub(super) fn with(status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Lets only reading through, and puts the headers on whatever comes back.
pub(super) async fn guarded(request: Request, next: Next) -> Response {
    let mut response = if [Method::GET, Method::HEAD].contains(request.method()) {
        next.run(request).await
    } else {
        let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "these pages can only be read\n");
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        refused
    };
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
