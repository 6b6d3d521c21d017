//! Collects everything that is wrong, so that the caller hears it at once.

use crate::{Error, ErrorKind};

/// A list of what is wrong with some input; empty means that it is fine.
///
/// ```
/// use cache_core::Problems;
///
/// let mut problems = Problems::default();
/// problems.check(false, || "tags: 17 given, at most 16 allowed".into());
/// problems.check(true, || "never said".into());
/// problems.add("ttl: 0 s given, 1 ms to 365 days allowed");
/// let error = problems.validation().unwrap_err();
/// assert_eq!(
///     error.message(),
///     "2 problems: tags: 17 given, at most 16 allowed; ttl: 0 s given, 1 ms to 365 days allowed"
/// );
/// ```
#[derive(Clone, Debug, Default)]
pub struct Problems(Vec<String>);

impl Problems {
    /// Adds a sentence that says what is wrong and what is allowed.
    pub fn add(&mut self, problem: impl Into<String>) {
        self.0.push(problem.into());
    }

    /// Adds the sentence unless `fine`.
    pub fn check(&mut self, fine: bool, problem: impl FnOnce() -> String) {
        if !fine {
            self.0.push(problem());
        }
    }

    /// Adds all of `others`, each with the place where it was found in front.
    pub fn add_all(&mut self, others: Self, place: &str) {
        self.0.extend(others.0.into_iter().map(|problem| format!("{place}: {problem}")));
    }

    /// Adds the message of `result`'s error, if it is one, and hands out its value otherwise.
    pub fn take<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.0.push(error.message().to_owned());
                None
            }
        }
    }

    /// The sentences, in the order in which they were added.
    pub fn into_list(self) -> Vec<String> {
        self.0
    }

    /// All of it as one [`ErrorKind::Validation`] error.
    ///
    /// # Errors
    /// If anything was added.
    pub fn validation(self) -> Result<(), Error> {
        self.into_result(ErrorKind::Validation)
    }

    /// All of it as one [`ErrorKind::Configuration`] error.
    ///
    /// # Errors
    /// If anything was added.
    pub fn configuration(self) -> Result<(), Error> {
        self.into_result(ErrorKind::Configuration)
    }

    fn into_result(self, kind: ErrorKind) -> Result<(), Error> {
        match self.0.len() {
            0 => Ok(()),
            1 => Err(Error::new(kind, self.0.concat())),
            n => Err(Error::new(kind, format!("{n} problems: {}", self.0.join("; ")))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_of_a_part_are_counted_singly_and_name_their_place() {
        let (mut all, mut part) = (Problems::default(), Problems::default());
        part.add("a");
        part.add("b");
        all.add_all(part, "x.toml");
        assert_eq!(all.clone().into_list(), ["x.toml: a", "x.toml: b"]);
        assert_eq!(all.validation().unwrap_err().message(), "2 problems: x.toml: a; x.toml: b");
    }
}
