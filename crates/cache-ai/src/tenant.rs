//! Whose answers these are.

use std::fmt;
use std::sync::Arc;

use cache_core::{Error, ErrorKind};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest name of a tenant, in bytes.
const LONGEST: usize = 128;
/// How everybody is called in statistics and configurations. No tenant can be called like that.
const SHARED: &str = "~shared";

/// Who may see an answer: a customer, a team, or everybody.
///
/// Answers and flights of one tenant are never another's, and how fast one is answered tells nothing of another. There
/// is no default: that all may share has to be said, in a configuration by `"~shared"`.
///
/// ```
/// use cache_ai::Tenant;
///
/// let acme = Tenant::new("acme")?;
/// let all = Tenant::shared();
/// assert!(Tenant::new("sk-live-4242").is_err(), "a credential is no name");
/// # assert_ne!(acme, all);
/// # Ok::<(), cache_ai::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Tenant {
    /// `None` for all.
    name: Option<Arc<str>>,
}

impl Tenant {
    /// A tenant of this name, 1 to 128 bytes. It stands readable in keys, statistics and exports: a number or a name of
    /// yours, never a credential.
    ///
    /// # Errors
    /// [`ErrorKind::Validation`] if it is empty, too long, looks like a credential, or is `~shared`.
    pub fn new(name: &str) -> Result<Self, Error> {
        if name.is_empty() || name.len() > LONGEST {
            return Err(Error::new(
                ErrorKind::Validation,
                format!("a tenant's name is {} bytes long, 1 to {LONGEST} are allowed", name.len()),
            ));
        }
        if name == SHARED {
            return Err(Error::new(
                ErrorKind::Validation,
                format!("`{SHARED}` is everybody, and no tenant's name"),
            ));
        }
        if looks_like_a_credential(name.trim_start()) {
            return Err(Error::new(
                ErrorKind::Validation,
                "a tenant's name looks like a credential, and it stands readable in keys: name the customer instead",
            ));
        }
        Ok(Self { name: Some(name.into()) })
    }

    /// Everybody: what one was answered, all may be.
    pub const fn shared() -> Self {
        Self { name: None }
    }

    /// The name, or `None` for everybody.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// How it is shown in statistics.
    pub(crate) fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(SHARED)
    }
}

/// By how keys of well-known services begin. A customer whose name only begins alike ("xoxo", "Eyjafjord") is let in.
fn looks_like_a_credential(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let any_case = ["sk-", "sk_", "gsk_", "bearer ", "basic ", "ghp_", "github_pat_", "glpat-", "hf_"];
    let slack = ["xoxa-", "xoxb-", "xoxe-", "xoxp-", "xoxr-", "xoxs-"];
    any_case.iter().chain(&slack).any(|it| lower.starts_with(it))
        || ["AKIA", "AIza", "eyJ"].iter().any(|it| name.starts_with(it))
}

impl Serialize for Tenant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.label())
    }
}

impl<'de> Deserialize<'de> for Tenant {
    /// A name, under the same conditions as [`Tenant::new`], or `~shared`. Nothing is nobody.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if name == SHARED { Ok(Self::shared()) } else { Self::new(&name).map_err(D::Error::custom) }
    }
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "Tenant({name:?})"),
            None => f.write_str("Tenant::shared()"),
        }
    }
}
