//! The JSON Schema of a configuration, from the one list of settings.

use serde_json::{Map, Value, json};

use super::CacheConfig;
use super::allowed::Allowed;
use super::fields::{Fields, Table};
use super::value::Setting;

impl CacheConfig {
    /// The JSON Schema (draft 2020-12) of a configuration, for editors and for checks before a deployment. It knows every
    /// setting with its type and range; what contradicts something else or has no effect only
    /// [`problems_of_file`](Self::problems_of_file) finds.
    ///
    /// ```
    /// let schema = cache_factory::CacheConfig::json_schema();
    /// assert_eq!(schema["properties"]["l1_cache_size"]["maximum"], 100_000_000);
    /// ```
    pub fn json_schema() -> Value {
        let mut schema = described::<Self>("The settings of a two-tier cache.");
        if let Value::Object(schema) = &mut schema {
            schema.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
        }
        schema
    }
}

fn described<T: Table>(about: &str) -> Value {
    let mut describer = Describer(Map::new());
    T::default().visit(&mut describer);
    json!({
        "description": about,
        "type": "object",
        "additionalProperties": false,
        "properties": describer.0,
    })
}

/// Collects what is said of each setting.
struct Describer(Map<String, Value>);

impl Fields for Describer {
    fn field<T: Setting>(
        &mut self,
        name: &'static str,
        about: &'static str,
        allowed: &Allowed,
        _: &mut Option<T>,
    ) {
        let mut schema = allowed.schema();
        if let Value::Object(schema) = &mut schema {
            schema.insert("description".into(), about.into());
        }
        self.0.insert(name.into(), schema);
    }

    fn table<T: Table>(&mut self, name: &'static str, about: &'static str, _: &mut Option<T>) {
        self.0.insert(name.into(), described::<T>(about));
    }
}
