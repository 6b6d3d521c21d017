//! Namespaces that nobody else uses.

use cache_core::{Error, Namespace, random_u64};

/// A namespace for one test: its name with a random part, so that tests and test runs can share one server.
///
/// # Errors
/// What [`Namespace::new`] says of the name, if `test` is not fit to be part of one.
pub fn fresh_namespace(test: &str) -> Result<Namespace, Error> {
    Namespace::new(&format!("{test}-{:016x}", random_u64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_of_a_test_do_not_meet() {
        let (one, two) = (fresh_namespace("a_test").unwrap(), fresh_namespace("a_test").unwrap());
        assert!(one.as_str().starts_with("a_test-") && one != two);
    }
}
