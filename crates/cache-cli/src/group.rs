//! Which keys are shown together.

/// `user:42:profile` is one of `user:*`, an answer `ai:acme:qa:…` one of `ai:acme:qa:*`, a key without parts of `*`.
pub(crate) fn group(key: &str) -> String {
    let parts = if key.starts_with("ai:") { 3 } else { 1 };
    match key.match_indices(':').nth(parts - 1) {
        Some((at, _)) => format!("{}:*", &key[..at]),
        None => "*".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_start_alike_are_one_group() {
        for (key, of) in [
            ("user:42:profile", "user:*"),
            ("plain", "*"),
            ("ai:acme:qa:s=x#1", "ai:acme:qa:*"),
            ("ai:x", "*"),
            (":x", ":*"),
        ] {
            assert_eq!(group(key), of);
        }
    }
}
