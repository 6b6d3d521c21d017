//! Encryption: how the server shows who it is, and how we do.

#[cfg(feature = "tls")]
mod files;
#[cfg(feature = "tls")]
mod with;
#[cfg(not(feature = "tls"))]
mod without;

use std::path::PathBuf;

#[cfg(feature = "tls")]
pub(crate) use with::Tls;
#[cfg(not(feature = "tls"))]
pub(crate) use without::Tls;

/// The files that say whom to trust and who we are, in PEM.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    /// Authorities that may have signed the server's certificate, instead of those that the system trusts.
    pub(crate) ca: Option<PathBuf>,
    /// Our certificate, and its key.
    pub(crate) identity: Option<(PathBuf, PathBuf)>,
}

impl Files {
    pub(crate) fn is_empty(&self) -> bool {
        self.ca.is_none() && self.identity.is_none()
    }
}
