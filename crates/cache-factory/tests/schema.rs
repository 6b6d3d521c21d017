//! The schema of a configuration: the page in `docs` is the current one, and it allows what reading allows.
#![cfg(all(feature = "memory", feature = "redis", feature = "lz4", feature = "monitor"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::path::{Path, PathBuf};

use cache_factory::CacheConfig;
use serde_json::{Map, Value, json};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// To write it anew: `CACHE_TEST_BLESS=1 cargo test -p cache-factory --test schema`.
#[test]
fn the_page_is_the_current_schema() {
    let (path, schema) = (docs().join("configuration.schema.json"), CacheConfig::json_schema());
    if std::env::var_os("CACHE_TEST_BLESS").is_some() {
        std::fs::write(&path, format!("{schema:#}\n")).unwrap();
    }
    let page: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(page, schema, "`CACHE_TEST_BLESS=1 cargo test -p cache-factory --test schema` writes it anew");
}

/// Whether a configuration can be read. One that needs a feature is right all the same.
fn can_be_read(config: &Value) -> bool {
    let error = CacheConfig::from_json(&config.to_string()).err();
    error.is_none_or(|error| error.message().contains("feature `"))
}

/// A setting's name, its schema, and the configuration that has only it.
type Setting = (String, Value, Box<dyn Fn(Value) -> Value>);

fn settings() -> Vec<Setting> {
    let mut all: Vec<Setting> = Vec::new();
    let properties =
        |schema: &Value| -> Map<String, Value> { schema["properties"].as_object().unwrap().clone() };
    for (name, schema) in properties(&CacheConfig::json_schema()) {
        if schema["type"] != "object" {
            let key = name.clone();
            all.push((name, schema, Box::new(move |value| json!({ key.clone(): value }))));
            continue;
        }
        assert_eq!(schema["additionalProperties"], false, "{name}");
        for (inner, schema) in properties(&schema) {
            let (table, key) = (name.clone(), inner.clone());
            let with = move |value: Value| json!({ table.clone(): { key.clone(): value } });
            all.push((format!("{name}.{inner}"), schema, Box::new(with)));
        }
    }
    all
}

#[test]
fn what_the_schema_allows_of_each_setting_is_what_reading_allows() {
    let schema = jsonschema::validator_for(&CacheConfig::json_schema()).unwrap();
    let mut compared = 0;
    for (name, setting, with) in settings() {
        let mut probes = vec![(json!([]), false)];
        assert!(setting["description"].as_str().is_some_and(|text| text.ends_with('.')), "{name}");
        if let Some(words) = setting["enum"].as_array() {
            probes.extend(words.iter().map(|word| (word.clone(), true)));
            probes.extend([(json!("none of them"), false), (json!(1), false)]);
        }
        match setting["type"].as_str() {
            Some("boolean") => {
                probes.extend([
                    (json!(true), true),
                    (json!(false), true),
                    (json!("yes"), false),
                    (json!(1), false),
                ]);
            }
            Some("string") => probes.extend([(json!(""), false), (json!(5), false)]),
            Some("integer") => {
                let least = setting["minimum"].as_u64().unwrap();
                probes.extend([(json!(least), true), (json!(least + 1), true), (json!("5"), false)]);
                probes.push((least.checked_sub(1).map_or(json!(-1), |below| json!(below)), false));
                probes.push((json!(0.5), false));
                if let Some(most) = setting["maximum"].as_u64() {
                    probes.extend([(json!(most), true), (json!(most + 1), false)]);
                }
            }
            Some("number") => {
                let (least, most) =
                    (setting["minimum"].as_f64().unwrap(), setting["maximum"].as_f64().unwrap());
                probes.extend([(json!(least), true), (json!(most), true), (json!(most + 0.5), false)]);
                probes.extend([(json!(least / 2.0 - 1e-9), false), (json!("5"), false)]);
            }
            _ => {}
        }
        for (value, is_fine) in probes {
            let config = with(value);
            assert_eq!(schema.is_valid(&config), is_fine, "the schema on {config}");
            assert_eq!(can_be_read(&config), is_fine, "reading on {config}");
            compared += 1;
        }
    }
    assert!(compared > 150, "{compared}");
}

#[test]
fn tables_of_seconds_are_known_and_what_is_unknown_is_not() {
    let schema = jsonschema::validator_for(&CacheConfig::json_schema()).unwrap();
    for (config, is_fine) in [
        (json!({}), true),
        (json!({"ai": {"operation_ttls": {"qa": 0.5}}}), true),
        (json!({"ai": {"operation_ttls": "qa=60"}}), true),
        (json!({"ai": {"operation_ttls": {"qa": 0}}}), false),
        (json!({"ai": {"operation_ttls": {"qa": "x"}}}), false),
        (json!({"redis": {"url": "redis://h/1", "password": "p"}}), true),
        (json!({"redis": {"adress": "redis://h"}}), false),
        (json!({"default_tll": 5}), false),
        (json!({"max_size": 5}), true),
        (json!([]), false),
    ] {
        assert_eq!(schema.is_valid(&config), is_fine, "{config}");
        assert_eq!(can_be_read(&config), is_fine, "{config}");
    }
}

#[test]
fn the_files_of_the_environments_are_valid() {
    let schema = jsonschema::validator_for(&CacheConfig::json_schema()).unwrap();
    let mut seen = 0;
    for file in std::fs::read_dir(docs().join("environments")).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let config: Value = toml::from_str(&text).unwrap();
        let wrong: Vec<String> = schema.iter_errors(&config).map(|error| error.to_string()).collect();
        assert_eq!(wrong, [""; 0], "{}", path.display());
        seen += 1;
    }
    assert_eq!(seen, 5);
}
