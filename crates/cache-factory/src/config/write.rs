//! A configuration as a value of any format, without its secrets.

use serde::{Serialize, Serializer};

use super::allowed::Allowed;
use super::fields::{Fields, Table};
use super::tree::Tree;
use super::value::Setting;
use super::{CacheConfig, RedisConfig};

impl Serialize for CacheConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Tree::Table(written(&mut self.clone())).serialize(serializer)
    }
}

impl Serialize for RedisConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Tree::Table(written(&mut self.clone())).serialize(serializer)
    }
}

fn written(table: &mut impl Table) -> Vec<(String, Tree)> {
    let mut writer = Writer(Vec::new());
    table.visit(&mut writer);
    writer.0
}

/// Collects what is given.
struct Writer(Vec<(String, Tree)>);

impl Fields for Writer {
    fn field<T: Setting>(&mut self, name: &'static str, _: &'static str, _: &Allowed, slot: &mut Option<T>) {
        self.0.extend(slot.as_ref().map(|value| (name.to_owned(), value.write())));
    }

    /// Once is enough.
    fn alias<T: Setting>(&mut self, _: &'static str, _: &'static str, _: &Allowed, _: &mut Option<T>) {}

    fn table<T: Table>(&mut self, name: &'static str, _: &'static str, slot: &mut Option<T>) {
        self.0.extend(slot.as_mut().map(|table| (name.to_owned(), Tree::Table(written(table)))));
    }
}
