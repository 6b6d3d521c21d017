//! Under which names the server may be asked. A site that points its own name at this machine's address could have its
//! visitors' browsers read the pages otherwise.

use std::net::IpAddr;

use axum::http::{HeaderMap, Uri, header};

/// Whether a request was meant for us: by an address, which nobody can point elsewhere, as `localhost`, or by one of the names
/// that were allowed.
pub(super) fn is_ours(headers: &HeaderMap, uri: &Uri, allowed: &[String]) -> bool {
    let mut named = headers.get_all(header::HOST).iter();
    let host = match (named.next(), named.next()) {
        (Some(host), None) => host.to_str().ok(),
        // HTTP 1.0 need not say it, and the target may.
        (None, None) => uri.authority().map(|authority| authority.as_str()),
        _ => None,
    };
    let Some(name) = host.and_then(without_port) else { return false };
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    name.parse::<IpAddr>().is_ok() || is("localhost") || allowed.iter().any(|allowed| is(allowed))
}

fn without_port(host: &str) -> Option<&str> {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split_once(']').map(|(address, _)| address);
    }
    let (name, port) = host.split_once(':').unwrap_or((host, ""));
    port.bytes().all(|digit| digit.is_ascii_digit()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_nobody_else_can_point_here_are_ours() {
        let allowed = ["cache.internal".to_owned()];
        for (host, ours) in [
            ("127.0.0.1", true),
            ("127.0.0.1:8080", true),
            ("[::1]:8080", true),
            ("[::1]", true),
            ("localhost", true),
            ("LocalHost:80", true),
            ("cache.internal:1", true),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example:80", false),
            ("cache.internal.evil.example", false),
            ("evil.example:80@localhost", false),
            ("localhost:x", false),
            ("", false),
            ("[", false),
        ] {
            let headers = HeaderMap::from_iter([(header::HOST, host.parse().unwrap())]);
            assert_eq!(is_ours(&headers, &Uri::from_static("/"), &allowed), ours, "{host}");
        }
        let mut twice = HeaderMap::new();
        twice.append(header::HOST, "localhost".parse().unwrap());
        twice.append(header::HOST, "evil.example".parse().unwrap());
        assert!(!is_ours(&twice, &Uri::from_static("/"), &allowed));
        assert!(!is_ours(&HeaderMap::new(), &Uri::from_static("/"), &allowed));
    }
}
