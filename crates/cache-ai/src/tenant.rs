//! Whose answers these are.

use std::fmt;
use std::sync::Arc;

use cache_core::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

/// The longest name of a tenant, in bytes.
const LONGEST: usize = 128;

/// Who may see an answer: a customer, a team, or everybody.
///
/// Answers and flights of one tenant are never another's, and how fast one is answered tells nothing of another. There
/// is no default: that all may share has to be said.
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
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tenant {
    /// `None` for all.
    name: Option<Arc<str>>,
}

impl Tenant {
    /// A tenant of this name, 1 to 128 bytes. It stands readable in keys, statistics and exports: a number or a name of
    /// yours, never a credential.
    ///
    /// # Errors
    /// [`ErrorKind::Validation`] if it is empty, too long, or looks like a credential.
    pub fn new(name: &str) -> Result<Self, Error> {
        if name.is_empty() || name.len() > LONGEST {
            return Err(Error::new(
                ErrorKind::Validation,
                format!("a tenant's name is {} bytes long, 1 to {LONGEST} are allowed", name.len()),
            ));
        }
        let lower = name.to_ascii_lowercase();
        if ["sk-", "sk_", "bearer ", "basic ", "eyj", "ghp_", "xox"].iter().any(|it| lower.starts_with(it)) {
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

    /// How it is shown in statistics. No tenant can be called like everybody.
    pub(crate) fn label(&self) -> &str {
        self.name.as_deref().unwrap_or("~shared")
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
