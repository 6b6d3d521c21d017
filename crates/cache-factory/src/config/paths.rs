//! Where settings are.

use super::CacheConfig;
use super::allowed::Allowed;
use super::fields::{Fields, Table};
use super::value::Setting;

/// Where a setting is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) table: Option<&'static str>,
    pub(super) name: &'static str,
}

impl Path {
    /// All there are.
    pub(super) fn all() -> Vec<Self> {
        let mut lister = Lister { table: None, paths: Vec::new() };
        CacheConfig::default().visit(&mut lister);
        lister.paths
    }

    /// As errors name it: `redis.url`.
    pub(super) fn dotted(self) -> String {
        let table = self.table.map(|table| format!("{table}.")).unwrap_or_default();
        format!("{table}{}", self.name)
    }

    /// The variable for it: `CACHE_REDIS_URL`.
    pub(super) fn variable(self) -> String {
        format!("CACHE_{}", self.dotted().replace('.', "_").to_uppercase())
    }
}

struct Lister {
    table: Option<&'static str>,
    paths: Vec<Path>,
}

impl Fields for Lister {
    fn field<T: Setting>(&mut self, name: &'static str, _: &'static str, _: &Allowed, _: &mut Option<T>) {
        self.paths.push(Path { table: self.table, name });
    }

    fn table<T: Table>(&mut self, name: &'static str, _: &'static str, _: &mut Option<T>) {
        let mut inner = Self { table: Some(name), paths: Vec::new() };
        T::default().visit(&mut inner);
        self.paths.append(&mut inner.paths);
    }
}
