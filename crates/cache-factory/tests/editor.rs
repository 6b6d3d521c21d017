//! What the editor is given: settings that it can read, and snippets that compile.
#![cfg(all(feature = "memory", feature = "redis", feature = "ai"))]
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

use std::collections::BTreeMap;
use std::path::Path;

use cache_factory::Cache;
use serde::Deserialize;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Deserialize)]
struct Snippet {
    scope: String,
    prefix: String,
    description: String,
    body: Vec<String>,
}

/// A file of the folder `.vscode`.
fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.vscode").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What the editor writes: each placeholder with its default, `${1:key}` as `key`, and nothing for the cursor.
fn expand(body: &[String]) -> String {
    let mut text = String::new();
    let whole = body.join("\n").replace("$0", "");
    let mut rest = whole.as_str();
    while let Some((before, place)) = rest.split_once("${") {
        let (place, after) = place.split_once('}').expect("a placeholder is closed");
        text.push_str(before);
        text.push_str(place.split_once(':').expect("a placeholder has a default").1);
        rest = after;
    }
    text + rest
}

/// The code between two lines of this file that name it, without its indentation.
fn compiled(prefix: &str) -> String {
    let (begin, end) = (format!("    // {prefix}:"), format!("    // :{prefix}"));
    let lines = include_str!("editor.rs").lines();
    let lines = lines.skip_while(|line| *line != begin).skip(1).take_while(|line| *line != end);
    lines.map(|line| line.strip_prefix("    ").unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

#[rustfmt::skip]
#[allow(dead_code, reason = "that it compiles is the test")]
async fn web() -> Result<Cache, Failure> {
    // cache-web:
    let cache = cache_factory::CacheFactory::new()
        .for_web_app()
        .redis_url("redis://127.0.0.1:6379")
        .default_ttl(cache_factory::durations::mins(30))
        .await?;
    // :cache-web
    Ok(cache)
}

#[rustfmt::skip]
#[allow(dead_code, reason = "that it compiles is the test")]
async fn ai() -> Result<cache_factory::ai::TenantCache, Failure> {
    // cache-ai:
    let cache = cache_factory::CacheFactory::new()
        .for_ai_app()
        .redis_url("redis://127.0.0.1:6379")
        .operation_ttl("summarize", cache_factory::durations::hours(2))
        .await?;
    let cache = cache.for_tenant(cache_factory::ai::Tenant::new("acme")?);
    // :cache-ai
    Ok(cache)
}

async fn load(key: String) -> Result<String, std::io::Error> {
    Ok(format!("loaded {key}"))
}

#[rustfmt::skip]
async fn robust(cache: &Cache, key: &str) -> Result<String, Failure> {
    // cache-robust:
    let options = cache_factory::LoadOptions::ttl(cache_factory::durations::hours(1))
        .stale_for(cache_factory::durations::mins(10));
    let load = {
        let key = key.to_string();
        move || load(key)
    };
    let value = match cache.get_or_load(key, options, load.clone()).await {
        Ok(value) => value,
        Err(error) if error.is_infrastructure() => std::sync::Arc::new(load().await?),
        Err(error) => return Err(error.into()),
    };
    // :cache-robust
    Ok((*value).clone())
}

#[test]
fn the_settings_are_json() {
    let settings: BTreeMap<String, serde_json::Value> = serde_json::from_str(&file("settings.json")).unwrap();
    assert!(settings.keys().any(|key| key.starts_with("rust-analyzer.")));
    let extensions: BTreeMap<String, Vec<String>> = serde_json::from_str(&file("extensions.json")).unwrap();
    assert!(extensions["recommendations"].iter().any(|name| name == "rust-lang.rust-analyzer"));
}

#[test]
fn the_snippets_are_what_is_compiled_here() {
    let snippets: BTreeMap<String, Snippet> = serde_json::from_str(&file("cache.code-snippets")).unwrap();
    let mut prefixes: Vec<&str> = snippets.values().map(|snippet| snippet.prefix.as_str()).collect();
    prefixes.sort_unstable();
    assert_eq!(prefixes, ["cache-ai", "cache-robust", "cache-web"]);
    for (name, snippet) in &snippets {
        assert!(snippet.scope == "rust" && !snippet.description.is_empty(), "{name}");
        assert_eq!(expand(&snippet.body), compiled(&snippet.prefix), "{name}");
    }
}

#[tokio::test]
async fn the_robust_snippet_loads_once_and_goes_on_when_the_cache_is_closed() {
    let cache = cache_factory::CacheFactory::new().for_web_app().memory_only().await.unwrap();
    assert_eq!(robust(&cache, "key").await.unwrap(), "loaded key");
    assert_eq!(robust(&cache, "key").await.unwrap(), "loaded key");
    assert_eq!(cache.stats().loads.started, 1);
    cache.close();
    assert_eq!(robust(&cache, "key").await.unwrap(), "loaded key");
}
