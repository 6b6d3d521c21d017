//! `diagnose` finds what is wrong and says by which number.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use cache_factory::SetOptions;
use cache_factory::durations::{hours, mins, secs};
use cache_testkit::redis::{Options, RedisServer};
use common::{cache, fresh, run, run_json, shared};
use serde_json::{Value, json};

fn finds(report: &Value, about: &str, words: &str) -> bool {
    report["findings"].as_array().unwrap().iter().any(|finding| {
        finding["about"] == about
            && finding["found"].as_str().unwrap().contains(words)
            && finding["advice"].as_str().is_some_and(|advice| !advice.is_empty())
    })
}

#[tokio::test]
async fn entries_are_counted_by_state_ttl_and_kind_of_key() {
    let (server, namespace) = (shared(), fresh("diagnose"));
    let cache = cache(server, &namespace).await;
    for at in 0..20 {
        cache.set(format!("user:{at}"), "x", SetOptions::ttl(secs(30)).tag("all")).await.unwrap();
    }
    cache.set("report:1", &"x".repeat(400_000), hours(2)).await.unwrap();
    server.command(&["SET", &format!("{namespace}:foreign"), "x"]).unwrap();
    let (code, report) = run_json(server, &namespace, &["diagnose"]);
    assert_eq!((code, &report["looked_at"]), (0, &json!(22)), "{report}");
    assert_eq!(report["states"], json!([["fresh", 21], ["foreign", 1]]));
    assert_eq!(report["ttls"], json!([["up to 1 min", 20], ["up to 1 d", 1]]));
    let groups: Vec<&str> =
        report["groups"].as_array().unwrap().iter().map(|group| group["name"].as_str().unwrap()).collect();
    assert_eq!(groups.len(), 3, "{report}");
    assert!(groups.contains(&"user:*") && groups.contains(&"report:*"));
    assert!(finds(&report, "low_hit_rate", "20 of 22 entries were to live for a minute"), "{report}");
    assert!(finds(&report, "not_working", "1 keys hold what this cache cannot read"), "{report}");
    assert!(finds(&report, "high_memory", "1 of 22 values are larger than"), "{report}");
    assert!(finds(&report, "high_memory", "1 of 22 keys never end"), "{report}");
    let (_, memory) = run_json(server, &namespace, &["diagnose", "high-memory"]);
    assert!(memory["findings"].as_array().unwrap().iter().all(|finding| finding["about"] == "high_memory"));
    cache.invalidate_tag("all").await.unwrap();
    let (_, report) = run_json(server, &namespace, &["diagnose", "low-hit-rate"]);
    assert!(finds(&report, "low_hit_rate", "20 of 22 entries were invalidated"), "{report}");
    let human = run(server, &namespace, &["diagnose"]);
    assert!(human.stdout.contains("user:*") && human.stdout.contains("-> "), "{human:?}");
}

#[tokio::test]
async fn a_server_that_misses_and_drops_is_found_to() {
    let server = RedisServer::launch(&Options::new()).unwrap();
    let empty = run_json(&server, "app", &["diagnose", "not-working"]);
    assert!(empty.0 == 0 && finds(&empty.1, "not_working", "no entries"), "{empty:?}");
    let cache = cache(&server, "app").await;
    cache.set("k", "x", mins(5)).await.unwrap();
    let mut connection = server.connect().unwrap();
    for _ in 0..200 {
        connection.command(&["GET", "nothing"]).unwrap();
    }
    let (_, report) = run_json(&server, "app", &["diagnose"]);
    assert!(finds(&report, "low_hit_rate", "reads were hits"), "{report}");
    // A damaged entry is an error: the exit code says so.
    server.command(&["SETRANGE", "app:k", "60", "????"]).unwrap();
    let (code, report) = run_json(&server, "app", &["diagnose", "not-working"]);
    assert!(code == 1 && finds(&report, "not_working", "1 of 1 entries are damaged"), "{report}");
}

#[tokio::test]
async fn advice_is_measured_on_what_is_stored() {
    let (server, namespace) = (shared(), fresh("advise"));
    let cache = cache(server, &namespace).await;
    for at in 0..5 {
        cache.set(format!("text:{at}"), &format!("{at} again and ").repeat(500), hours(1)).await.unwrap();
    }
    server.command(&["SET", &format!("{namespace}:foreign"), "x"]).unwrap();
    let (code, advice) = run_json(server, &namespace, &["advise"]);
    assert_eq!((code, &advice["values"], &advice["skipped"]), (0, &json!(5), &json!(1)), "{advice}");
    let lz4 = &advice["compression"][0];
    assert!(
        lz4["plain_bytes"].as_u64() > Some(30_000) && lz4["packed_bytes"].as_u64() < Some(3000),
        "{advice}"
    );
    assert!(
        advice["compression_advice"].as_str().unwrap().contains("compression_threshold = 5000"),
        "{advice}"
    );
    let human = run(server, &namespace, &["advise", "text:*"]);
    assert!(human.stdout.contains("compression_level = 1") && human.stdout.contains("zstd"), "{human:?}");
}
