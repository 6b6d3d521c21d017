//! Where the server is and how to sign in, out of a URL.

use std::fmt;
use std::path::PathBuf;

use cache_core::{Error, ErrorKind};
use redis::{ConnectionAddr, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo};

use crate::tls::{Files, Tls};

/// A server, a database and the credentials. `Debug` and `Display` show no credentials.
#[derive(Clone)]
pub(crate) struct Address {
    pub(crate) endpoint: Endpoint,
    pub(crate) sign_in: RedisConnectionInfo,
    /// Encryption; none unless the scheme asks for it.
    pub(crate) tls: Option<Tls>,
}

/// What to open a socket to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

const FORMS: &str = "redis://[user:password@]host[:port][/database], rediss:// for TLS, and \
                     unix:///path/to/socket[?db=database&user=…&pass=…] are allowed";

impl Address {
    /// Reads a URL, and takes a password and files for TLS that stand beside it.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`], without the URL, which may hold a password.
    pub(crate) fn parse(url: &str, password: Option<&str>, files: &Files) -> Result<Self, Error> {
        let refuse =
            |what: &str| Err(Error::new(ErrorKind::Configuration, format!("redis_url: {what}; {FORMS}")));
        let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
        let is_encrypted = match scheme {
            "redis" | "valkey" | "unix" | "redis+unix" | "valkey+unix" => false,
            "rediss" | "valkeys" => true,
            _ => return refuse("the scheme is not one of redis, rediss, valkey, valkeys and unix"),
        };
        if !is_encrypted && !files.is_empty() {
            return refuse("ca_file, cert_file and key_file have no effect without TLS");
        }
        if url.contains('#') {
            return refuse("a fragment (`#…`) has no meaning; a `#` in a password is written %23");
        }
        let allowed: &[&str] = if scheme.ends_with("unix") { &["db", "user", "pass"] } else { &[] };
        let query = url.split_once('?').map_or("", |(_, query)| query);
        let names = query
            .split('&')
            .filter(|part| !part.is_empty())
            .map(|part| part.split('=').next().unwrap_or(part));
        if names.into_iter().any(|name| !allowed.contains(&name)) {
            return refuse("the part after `?` names something that has no meaning here");
        }
        // Who reads it knows nothing of encryption.
        let plain = url.strip_prefix(scheme).filter(|_| is_encrypted).map(|rest| format!("redis{rest}"));
        let Ok(info) = plain.as_deref().unwrap_or(url).into_connection_info() else {
            return refuse("it is not a URL of a server, or its database is not a number");
        };
        let endpoint = match info.addr() {
            ConnectionAddr::Tcp(host, port) => Endpoint::Tcp { host: host.clone(), port: *port },
            ConnectionAddr::Unix(path) => Endpoint::Unix(path.clone()),
            _ => return refuse("this kind of address is not supported"),
        };
        let mut sign_in = info.redis_settings().clone();
        if let Some(password) = password {
            if sign_in.password().is_some() {
                return refuse("there is a password in the URL and another beside it");
            }
            sign_in = sign_in.set_password(password);
        }
        if sign_in.db() < 0 {
            return refuse("the database number is negative");
        }
        if sign_in.username().is_some() && sign_in.password().is_none() {
            return refuse("there is a user without a password");
        }
        let tls = match &endpoint {
            _ if !is_encrypted => None,
            Endpoint::Tcp { host, .. } => match Tls::new(host, files) {
                Ok(tls) => Some(tls),
                Err(problem) => return refuse(&problem),
            },
            Endpoint::Unix(_) => return refuse("a socket of this machine has no TLS"),
        };
        Ok(Self { endpoint, sign_in: sign_in.set_protocol(ProtocolVersion::RESP3), tls })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.endpoint {
            Endpoint::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Endpoint::Tcp { host, port } => write!(f, "{host}:{port}"),
            Endpoint::Unix(path) => write!(f, "{}", path.display()),
        }?;
        write!(f, ", database {}", self.sign_in.db())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_which_database_and_who() {
        for (url, shown, user, password) in [
            ("redis://localhost", "localhost:6379, database 0", None, None),
            ("redis://cache.example:7000/3", "cache.example:7000, database 3", None, None),
            ("redis://:p%40ss@[::1]:7000", "[::1]:7000, database 0", None, Some("p@ss")),
            ("valkey://ann:secret@10.0.0.1/15", "10.0.0.1:6379, database 15", Some("ann"), Some("secret")),
            ("unix:///run/redis.sock?db=2&pass=secret", "/run/redis.sock, database 2", None, Some("secret")),
            ("redis+unix:///run/redis.sock", "/run/redis.sock, database 0", None, None),
        ] {
            let address = Address::parse(url, None, &Files::default()).unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(address.sign_in.username(), user);
            assert_eq!(address.sign_in.password(), password);
            assert!(!format!("{address:?}").contains("secret"));
        }
    }

    #[test]
    fn a_password_may_stand_beside_the_url_but_not_twice() {
        let address = Address::parse("redis://ann@localhost", Some("secret"), &Files::default()).unwrap();
        assert_eq!((address.sign_in.username(), address.sign_in.password()), (Some("ann"), Some("secret")));
        let error =
            Address::parse("redis://:secret@localhost", Some("secret"), &Files::default()).unwrap_err();
        assert!(error.message().contains("another beside it") && !error.message().contains("secret"));
    }

    #[test]
    fn a_bad_url_is_refused_without_being_shown() {
        for url in [
            "",
            "localhost:6379",
            "http://:secret@localhost",
            "rediss+unix://:secret@localhost",
            "redis://",
            "redis://:secret@localhost/secret",
            "redis://:secret@localhost/-1",
            "redis://secret@localhost",
            "redis://:sec#ret@localhost",
            "unix://",
            "redis://localhost/0?password=secret",
            "redis://localhost/0?db=3",
            "unix:///run/redis.sock?passs=secret",
            "redis://:secret@localhost:99999",
        ] {
            let error = Address::parse(url, None, &Files::default()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{url}");
            let shown = format!("{error} {error:?}");
            assert!(shown.contains("are allowed") && !shown.contains("secret"), "{url}: {shown}");
        }
    }

    #[test]
    fn files_for_tls_want_an_address_that_asks_for_it() {
        let files = Files { ca: Some("ca.pem".into()), identity: None };
        let error = Address::parse("redis://localhost", None, &files).unwrap_err();
        assert!(error.message().contains("have no effect without TLS"), "{error}");
        // What stands in them is looked at when a connection is opened.
        let address = Address::parse("rediss://localhost", None, &files);
        assert_eq!(address.map(|address| address.tls.is_some()).ok(), cfg!(feature = "tls").then_some(true));
    }
}
