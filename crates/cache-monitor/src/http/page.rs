//! The page: one file, put together from its parts, with nothing in it that comes from elsewhere.

use axum::body::Bytes;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

const FRAME: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const SCRIPTS: [&str; 4] = [
    include_str!("page/format.js"),
    include_str!("page/chart.js"),
    include_str!("page/cards.js"),
    include_str!("page/page.js"),
];

/// The page and the policy that lets a browser run its script and no other.
pub(super) struct Page {
    pub(super) html: Bytes,
    pub(super) policy: String,
}

impl Page {
    pub(super) fn new() -> Self {
        let script = format!("\n\"use strict\";\n{}", SCRIPTS.concat());
        let html = FRAME.replace("/* style */", STYLE).replace("/* script */", &script);
        let policy = format!(
            "default-src 'none'; script-src {}; style-src {}; connect-src 'self'; img-src data:; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
            source(&script),
            source(STYLE),
        );
        Self { html: html.into(), policy }
    }
}

/// How a policy names a text that stands in the page.
fn source(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
}
