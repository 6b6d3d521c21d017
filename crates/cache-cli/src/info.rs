//! What the server says of itself.

use std::collections::BTreeMap;

use cache_core::Error;

use crate::target::Target;

/// The fields of `INFO`, by name.
#[derive(Debug)]
pub(crate) struct Info(pub(crate) BTreeMap<String, String>);

impl Info {
    /// `None` if this user may not ask.
    pub(crate) async fn ask(target: &Target) -> Result<Option<Self>, Error> {
        Ok(target.server().info().await?.map(Self))
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// 0 if the server does not say.
    pub(crate) fn number(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or_default()
    }
}

/// Whether nine tenths of a server's memory are used; never of one without a bound, which is 0.
pub(crate) fn is_nearly_full(used: u64, most: u64) -> bool {
    most > 0 && used / 9 >= most / 10
}
