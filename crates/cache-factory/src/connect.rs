//! The way to Redis when a cache is built: found, done without, or an error.

use std::sync::Arc;
use std::time::Duration;

use cache_core::{Clock, Error, ErrorKind, SystemClock};
use cache_redis::RedisStore;
use cache_tiered::Settings;

use crate::config::file::text_of;
use crate::presets;
use crate::resolve::Server;
use crate::secret::Secret;

/// The longest password file, in bytes.
const LONGEST_PASSWORD: u64 = 4096;

/// How often to ask Redis for a sign of life, at least.
const HEARTBEAT: Duration = Duration::from_millis(250);

/// A store, and why it is of no use yet, if it is not.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) store: RedisStore,
    pub(crate) away: Option<Error>,
}

/// Builds the store and waits for its first attempt to connect, `connect_timeout` at most. A store that cannot be
/// reached goes on trying by itself.
///
/// # Errors
/// Whatever is no failure to connect; those too if `fail_on_connection_error` is set.
pub(crate) async fn connect(server: &Server, clock: Arc<dyn Clock>) -> Result<Connected, Error> {
    let mut server = server.clone();
    if let Some(path) = &server.password_file {
        let text = text_of(path, LONGEST_PASSWORD)
            .map_err(|problem| refuse(format!("password_file {}: {problem}", path.display())))?;
        let password = text.lines().next().unwrap_or_default();
        if password.is_empty() {
            return Err(refuse(format!("password_file {}: its first line is empty", path.display())));
        }
        server.password = Some(Secret::new(password));
    }
    let store = build(&server, clock)?;
    let away = match store.connected().await {
        Ok(()) => None,
        Err(error) if may_fall_back(&error) && !server.fail_on_connection_error => {
            tracing::warn!(url = %server.url, %error, "Redis cannot be reached, going on without it until it can");
            Some(error)
        }
        Err(error) => return Err(error.at(&server.url)),
    };
    Ok(Connected { store, away })
}

/// Whether the store can be built like this. Opens nothing.
///
/// # Errors
/// [`ErrorKind::Configuration`] if not.
pub(crate) fn check(server: &Server) -> Result<(), Error> {
    let (least, most) = presets::CONNECT_TIMEOUTS.into_inner();
    // What is out of range or given twice has been found already, and a file is not read yet.
    let connect_timeout = server.connect_timeout.clamp(least, most);
    let is_beside = server.password.is_some() || server.password_file.is_some();
    let password = (is_beside && !server.url.has_password()).then(|| Secret::new("to be"));
    let lease = Settings::default().lease;
    build(&Server { connect_timeout, password, lease, ..server.clone() }, Arc::new(SystemClock::new()))
        .map(drop)
}

fn build(server: &Server, clock: Arc<dyn Clock>) -> Result<RedisStore, Error> {
    // Several signs of life in a lease: one that comes late must not end it.
    let heartbeat = HEARTBEAT.min(server.lease / 4);
    let mut builder = RedisStore::builder(server.url.expose())
        .clock(clock)
        .connect_timeout(server.connect_timeout)
        .heartbeat(heartbeat)
        .lease(server.lease)
        .feed(server.feed);
    if let Some(namespace) = &server.namespace {
        builder = builder.namespace(namespace);
    }
    if let Some(path) = &server.ca_file {
        builder = builder.ca_file(path);
    }
    if let Some((certificate, key)) = &server.certificate {
        builder = builder.client_certificate(certificate, key);
    }
    if let Some(password) = &server.password {
        builder = builder.password(password.expose());
    }
    builder.build()
}

/// Only a server that cannot be reached may be done without. Everything else is a mistake, which would go unnoticed.
fn may_fall_back(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout)
}

fn refuse(message: String) -> Error {
    Error::new(ErrorKind::Configuration, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_failure_to_connect_may_be_done_without() {
        for (kind, may) in [
            (ErrorKind::Unavailable, true),
            (ErrorKind::Timeout, true),
            (ErrorKind::Validation, false),
            (ErrorKind::Configuration, false),
            (ErrorKind::TooLarge, false),
            (ErrorKind::Codec, false),
            (ErrorKind::Load, false),
            (ErrorKind::Closed, false),
            (ErrorKind::Unsupported, false),
            (ErrorKind::Internal, false),
        ] {
            assert_eq!(may_fall_back(&Error::new(kind, "x")), may, "{kind:?}");
        }
    }
}
