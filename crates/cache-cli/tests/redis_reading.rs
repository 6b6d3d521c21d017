//! `keys`, `get` and `ttl` show what is stored, whatever it is.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use cache_factory::SetOptions;
use cache_factory::durations::{mins, secs};
use cache_testkit::redis::{Options, RedisServer, Reply};
use common::{cache, fresh, run, run_json, shared};
use serde_json::json;

#[tokio::test]
async fn a_value_is_shown_with_all_that_is_known_of_it() {
    let (server, namespace) = (shared(), fresh("get"));
    let cache = cache(server, &namespace).await;
    let value = json!({"name": "Ann", "text": "again and ".repeat(500)});
    cache.set("user:1", &value, SetOptions::ttl(mins(5)).tag("team:7")).await.unwrap();
    let (code, got) = run_json(server, &namespace, &["get", "user:1"]);
    assert_eq!(code, 0);
    assert_eq!(got["value"], value);
    assert_eq!(got["state"], "fresh");
    assert_eq!(got["serializer"], "msgpack");
    assert_eq!(got["compression"], "lz4");
    assert_eq!(got["tags"], json!(["team:7"]));
    assert_eq!(got["ttl_ms"], 300_000);
    assert!(got["value_bytes"].as_u64() > Some(5000) && got["packed_bytes"].as_u64() < Some(1000), "{got}");
    assert!(got["stored_bytes"].as_u64() > got["packed_bytes"].as_u64(), "{got}");
    let (age, left) = (got["age_ms"].as_u64().unwrap(), got["fresh_for_ms"].as_u64().unwrap());
    assert_eq!(age + left, 300_000, "{got}");
    let human = run(server, &namespace, &["get", "user:1"]);
    assert!(human.stdout.contains("lz4, ") && human.stdout.contains("\"name\": \"Ann\""), "{human:?}");
    assert!(!human.stdout.contains('\u{1b}'), "no colours where there is no terminal");
}

#[tokio::test]
async fn what_was_invalidated_or_is_stale_is_said_to_be() {
    let (server, namespace) = (shared(), fresh("void"));
    let cache = cache(server, &namespace).await;
    cache.set("tagged", "x", SetOptions::ttl(mins(5)).tag("t")).await.unwrap();
    cache.invalidate_tag("t").await.unwrap();
    let (code, got) = run_json(server, &namespace, &["get", "tagged"]);
    assert_eq!((code, &got["state"]), (1, &json!("invalidated")));
    cache.set("cleared", "x", mins(5)).await.unwrap();
    cache.clear().await.unwrap();
    assert_eq!(run_json(server, &namespace, &["ttl", "cleared"]).1["state"], "invalidated");
    cache.set("after", "x", SetOptions::ttl(secs(300)).tag("t")).await.unwrap();
    assert_eq!(run_json(server, &namespace, &["ttl", "after"]).1["state"], "fresh");
    // As if 299 of 300 seconds and then two more had passed.
    cache.set("stale", "x", SetOptions::ttl(secs(300)).stale_for(mins(5))).await.unwrap();
    server.command(&["PEXPIRE", &format!("{namespace}:stale"), "299000"]).unwrap();
    assert_eq!(run_json(server, &namespace, &["ttl", "stale"]).1["state"], "stale");
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let (server, namespace) = (shared(), fresh("missing"));
    for command in ["get", "ttl"] {
        let ran = run(server, &namespace, &[command, "no"]);
        assert_eq!(ran.code, 1);
        assert!(ran.stderr.contains("nothing is stored under `no`"), "{ran:?}");
        let ran = run(server, &namespace, &["--json", command, "no"]);
        assert!(ran.stdout.is_empty() && ran.stderr.contains(r#""exit":1"#), "{ran:?}");
    }
}

#[tokio::test]
async fn keys_are_listed_by_pattern_and_no_more_than_were_asked_for() {
    let (server, namespace) = (shared(), fresh("keys"));
    let cache = cache(server, &namespace).await;
    for at in 0..30 {
        cache.set(format!("user:{at:02}"), "x", mins(5)).await.unwrap();
    }
    cache.set("order:1", "x", mins(5)).await.unwrap();
    let (code, listed) = run_json(server, &namespace, &["keys", "user:*"]);
    assert_eq!((code, &listed["count"], &listed["more"]), (0, &json!(30), &json!(false)));
    assert_eq!(listed["keys"][0], "user:00");
    let (_, listed) = run_json(server, &namespace, &["keys", "--limit", "5"]);
    assert_eq!((&listed["count"], &listed["more"]), (&json!(5), &json!(true)));
    let (_, listed) = run_json(server, &namespace, &["keys", "order:*", "--long"]);
    assert_eq!(listed["entries"][0]["state"], "fresh");
    let human = run(server, &namespace, &["keys", "order:*", "--long"]);
    assert!(human.stdout.starts_with("KEY") && human.stdout.contains("order:1"), "{human:?}");
    assert_eq!(run_json(server, &namespace, &["keys", "nothing*"]).1["count"], 0);
}

/// One question about invalidations for many entries, not one for each.
#[tokio::test]
async fn marks_are_asked_for_together_and_meet_the_entries_that_they_concern() {
    let server = RedisServer::launch(&Options::new()).unwrap();
    let cache = cache(&server, "marks").await;
    for at in 0..100 {
        let options = SetOptions::ttl(mins(5)).tag(format!("team:{}", at % 4));
        cache.set(format!("user:{at:02}"), "x", options).await.unwrap();
    }
    cache.invalidate_tag("team:1").await.unwrap();
    server.command(&["CONFIG", "RESETSTAT"]).unwrap();
    let (_, listed) = run_json(&server, "marks", &["keys", "user:*", "--long"]);
    let Reply::Bytes(info) = server.command(&["INFO", "commandstats"]).unwrap() else { panic!("a text") };
    let info = String::from_utf8(info).unwrap();
    for (at, entry) in listed["entries"].as_array().unwrap().iter().enumerate() {
        let state = if at % 4 == 1 { "invalidated" } else { "fresh" };
        assert_eq!(entry["state"], state, "{entry}");
    }
    let (_, calls) = info.split_once("cmdstat_zmscore:calls=").unwrap();
    let calls: String = calls.chars().take_while(char::is_ascii_digit).collect();
    assert!(calls.parse::<u32>().unwrap() < 10, "{calls} questions for 100 entries");
}

/// What others may have left under the namespace.
#[tokio::test]
async fn what_is_foreign_damaged_or_of_another_type_is_named_and_left_alone() {
    let (server, namespace) = (shared(), fresh("odd"));
    let cache = cache(server, &namespace).await;
    cache.set("good", &"x".repeat(100), mins(5)).await.unwrap();
    let full = |key: &str| format!("{namespace}:{key}");
    server.command(&["SET", &full("foreign"), "\u{1b}[31mplain"]).unwrap();
    server.command(&["SET", &full("empty"), ""]).unwrap();
    server.command(&["RPUSH", &full("list"), "x"]).unwrap();
    server.command(&["COPY", &full("good"), &full("moved")]).unwrap();
    server.command(&["SETRANGE", &full("good"), "150", "?"]).unwrap();
    server.command(&[&b"SET"[..], &[full("bin").as_bytes(), b"\xfe\x00"].concat(), b"x"]).unwrap();
    for (key, state) in [
        ("foreign", "foreign"),
        ("empty", "foreign"),
        ("list", "wrong_type"),
        ("moved", "damaged"),
        ("good", "damaged"),
    ] {
        let (code, got) = run_json(server, &namespace, &["get", key]);
        assert_eq!((code, &got["state"]), (1, &json!(state)), "{key}: {got}");
        assert!(got["reason"].as_str().is_some_and(|reason| reason.len() > 10), "{got}");
        let there = server.command(&["EXISTS", &full(key)]).unwrap();
        assert_eq!(there.integer(), Some(1), "{key} was not touched");
    }
    let human = run(server, &namespace, &["get", "foreign"]);
    assert!(human.stdout.contains("\\u{1b}[31mplain") && !human.stdout.contains('\u{1b}'), "{human:?}");
    let (code, listed) = run_json(server, &namespace, &["keys", "bin*"]);
    assert_eq!((code, &listed["foreign"]), (0, &json!(["bin\\xfe\\u{0}"])));
}

#[tokio::test]
async fn a_huge_value_is_told_of_and_an_overlong_key_is_bad_use() {
    let (server, namespace) = (shared(), fresh("huge"));
    let key = format!("{namespace}:huge");
    server.command(&["SETRANGE", &key, &(65 << 20).to_string(), "x"]).unwrap();
    let (code, got) = run_json(server, &namespace, &["get", "huge"]);
    server.command(&["UNLINK", &key]).unwrap();
    assert_eq!((code, &got["state"]), (1, &json!("unreadable")), "{got}");
    let cache = cache(server, &namespace).await;
    cache.set("large", &"x".repeat(7_000_000), mins(5)).await.unwrap();
    let (code, got) = run_json(server, &namespace, &["get", "large"]);
    assert_eq!((code, got["value"].as_str().map(str::len)), (0, Some(7_000_000)));
    assert_eq!(run(server, &namespace, &["get", &"k".repeat(1025)]).code, 1);
    assert_eq!(run(server, &namespace, &["get", ""]).code, 2);
}

/// What is sealed is described; its value needs the application's keys.
#[tokio::test]
async fn a_sealed_value_is_described_and_not_opened() {
    use cache_codec::{Compression, Header, Keyring, seal_with};
    use cache_core::{Format, Namespace, PutIf, Stamp, Store, Ttl, VersionSource};

    let (server, namespace) = (shared(), fresh("sealed"));
    let space = Namespace::new(&namespace).unwrap();
    let key = space.key("k").unwrap();
    let store = cache_redis::RedisStore::builder(server.url()).build().unwrap();
    let header = Header {
        version: VersionSource::new().value(),
        format: Format::Msgpack,
        fresh: mins(5),
        total: mins(5),
        cost: mins(0),
        stamp: Stamp::default(),
        tags: None,
        schema: None,
        created_unix_ms: 0,
    };
    let stamp = store.read_marks(&space, &[]).await.unwrap().now;
    let header = Header { stamp, ..header };
    let sealed =
        seal_with(&header, &key, b"\xa6canary", &Compression::off(), &Keyring::new(1, &[7; 32])).unwrap();
    store.put(&key, sealed, Ttl::clamped(mins(5)), PutIf::Always).await.unwrap();
    let ran = run(server, &namespace, &["--json", "get", "k"]);
    let got = ran.json();
    assert_eq!((ran.code, &got["sealed"], &got["state"]), (0, &json!(true), &json!("fresh")), "{got}");
    assert!(got["not_shown"].as_str().unwrap().contains("sealed"), "{got}");
    ran.assert_without("canary");
}
