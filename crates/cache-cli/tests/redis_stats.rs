//! `stats` and `watch` show what the cache and the server tell.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use cache_factory::durations::mins;
use cache_testkit::redis::{Options, RedisServer};
use common::{cache, fresh, run, run_json, shared};
use serde_json::{Value, json};

#[tokio::test]
async fn stats_count_keys_and_tell_how_the_cache_is() {
    let (server, namespace) = (shared(), fresh("stats"));
    let cache = cache(server, &namespace).await;
    for at in 0..7 {
        cache.set(format!("k{at}"), "x", mins(5)).await.unwrap();
    }
    let (code, stats) = run_json(server, &namespace, &["stats"]);
    assert_eq!((code, &stats["keys"], &stats["more_keys"]), (0, &json!(7), &json!(false)), "{stats}");
    assert_eq!(
        (&stats["health"]["status"], &stats["health"]["coherence"]),
        (&json!("healthy"), &json!("feed"))
    );
    assert!(stats["server"]["used_bytes"].as_u64() > Some(100_000), "{stats}");
    let (_, stats) = run_json(server, &namespace, &["stats", "--limit", "3"]);
    assert_eq!((&stats["keys"], &stats["more_keys"]), (&json!(3), &json!(true)));
    let human = run(server, &namespace, &["stats"]);
    assert!(human.stdout.contains("is healthy") && human.stdout.contains("server memory"), "{human:?}");
}

#[test]
fn watch_prints_a_line_a_tick_and_ends_when_told() {
    let server = RedisServer::launch(&Options::new()).unwrap();
    let ran = run(&server, "app", &["--json", "watch", "--count", "3", "--interval-ms", "100"]);
    let ticks: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((ran.code, ticks.len()), (0, 3), "{ran:?}");
    assert_eq!((&ticks[0]["new_hits"], &ticks[2]["tick"]), (&Value::Null, &json!(3)));
    assert!(
        ticks.iter().all(|tick| tick["reachable"] == true && tick["ping_us"].as_u64() > Some(0)),
        "{ticks:?}"
    );
    assert!(ticks[2]["commands_per_second"].as_u64() > Some(0), "{ticks:?}");
    let human = run(&server, "app", &["watch", "--count", "1"]);
    assert!(human.stdout.contains("tick 1") && !human.stdout.contains('\u{1b}'), "{human:?}");
}
