//! `doctor` finds what is wrong with a deployment, and says nothing secret.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use cache_factory::durations::mins;
use cache_factory::{CacheConfig, CacheFactory, Loaded, SetOptions};
use cache_testkit::redis::{Options, RedisServer};
use common::{Ran, fresh, program, run, run_json, shared};
use serde_json::Value;

fn level(report: &Value, name: &str) -> String {
    let checks = report["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == name);
    check.unwrap_or_else(|| panic!("no {name} in {report}"))["level"].as_str().unwrap().to_owned()
}

#[test]
fn a_good_server_is_found_good_and_is_left_as_it_was() {
    let server = RedisServer::launch(&Options::new().arguments([
        "--maxmemory",
        "100mb",
        "--maxmemory-policy",
        "allkeys-lru",
    ]));
    let server = server.unwrap();
    let (code, report) = run_json(&server, "app", &["doctor", "--round-trips", "20"]);
    for name in [
        "connection",
        "operations",
        "speed",
        "version",
        "role",
        "eviction",
        "memory",
        "saving",
        "clock",
        "encryption",
        "rights",
        "tracking",
    ] {
        assert_eq!(level(&report, name), "ok", "{report}");
    }
    assert_eq!((code, &report["status"]), (0, &"ok".into()));
    assert_eq!(run_json(&server, "app", &["keys"]).1["count"], 0, "the probe is gone");
    let human = run(&server, "app", &["doctor"]);
    assert!(human.stdout.contains("ok   tracking") && human.stdout.contains("0 failed"), "{human:?}");
}

#[test]
fn warnings_come_with_advice_and_fail_nothing() {
    let (code, report) = run_json(shared(), &fresh("doctor"), &["doctor"]);
    assert_eq!(code, 0, "{report}");
    assert_eq!(level(&report, "eviction"), "warn", "without maxmemory: {report}");
    let human = run(shared(), &fresh("doctor"), &["doctor"]);
    assert!(human.stdout.contains("-> the server takes memory until"), "{human:?}");
}

#[test]
fn a_user_without_rights_fails() {
    let server = RedisServer::launch(&Options::new()).unwrap();
    let rules = [
        "ACL",
        "SETUSER",
        "ann",
        "on",
        ">canary",
        "~*",
        "&*",
        "+@all",
        "-eval",
        "-evalsha",
        "-client|tracking",
    ];
    server.command(&rules).unwrap();
    let url = format!("redis://ann:canary@{}/0", server.addr());
    let ran = Ran::of(program().args(["--json", "--url", &url, "doctor"]));
    let report = ran.json();
    assert_eq!(ran.code, 1, "{report}");
    assert_eq!(
        (level(&report, "operations"), level(&report, "tracking")),
        ("fail".into(), "warn".into()),
        "{report}"
    );
    assert_eq!(level(&report, "rights"), "fail", "{report}");
    ran.assert_without("canary");
}

/// The commands of the guide that make a user, in words, for this namespace and password.
fn rules(namespace: &str, password: &str) -> Vec<Vec<String>> {
    let page = include_str!("../../../docs/guide/deploying.md");
    let own = |word: &str| word.replace("~shop:", &format!("~{namespace}:")).replace("PASSWORD", password);
    let lines = page.lines().filter(|line| line.starts_with("ACL SETUSER"));
    lines.map(|line| line.split(' ').map(own).collect()).collect()
}

#[tokio::test]
async fn the_rights_that_the_guide_names_are_enough_and_none_is_too_much() {
    let bounded = ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"];
    let server = RedisServer::launch(&Options::new().arguments(bounded)).unwrap();
    let send = |words: &[String]| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        server.command(&words).unwrap()
    };
    let rules = rules("app", "canary");
    rules.iter().for_each(|rule| drop(send(rule)));
    let url = format!("redis://shop:canary@{}/0", server.addr());
    let doctor = || Ran::of(program().args(["--json", "--url", &url, "--namespace", "app", "doctor"])).json();
    let report = doctor();
    assert_eq!(report["status"], "ok", "{report}");

    let toml = format!(
        "namespace = 'app'\non_store_error = 'fail'\n[redis]\nurl = '{url}'\nfail_on_connection_error = true"
    );
    let cache = CacheFactory::new().from_config(CacheConfig::from_toml(&toml).unwrap()).await.unwrap();
    let large = "x".repeat(300_000);
    cache.set("large", &large, SetOptions::ttl(mins(5)).tag("t")).await.unwrap();
    assert!(cache.set_many(&[("a", 1), ("b", 2)], mins(5)).await.unwrap().failed.is_empty());
    for _ in 0..2 {
        cache.get_or_load("loaded", mins(5), || async { Loaded::Ok(7) }).await.unwrap();
        cache.invalidate_tag("t").await.unwrap();
    }
    cache.reload("loaded", mins(5), || async { Loaded::Ok(8) }).await.unwrap();
    assert_eq!(cache.keys("*").await.unwrap(), ["a", "b", "loaded"]);
    cache.expire("a").await.unwrap();
    cache.delete("b").await.unwrap();
    cache.clear().await.unwrap();
    assert!(cache.health().await.reasons.is_empty(), "{:?}", cache.health().await);
    // What was refused stands in the server's log.
    let refused = server.command(&["ACL", "LOG"]).unwrap();
    assert!(!format!("{refused:?}").contains("toplevel"), "{refused:?}");

    for needed in rules[0].iter().filter_map(|word| word.strip_prefix('+')) {
        send(&["ACL".into(), "SETUSER".into(), "shop".into(), format!("-{needed}")]);
        let report = doctor();
        assert_ne!(report["status"], "ok", "without {needed}: {report}");
        send(&["ACL".into(), "SETUSER".into(), "shop".into(), format!("+{needed}")]);
    }
}

#[test]
fn a_replica_and_a_full_server_are_found() {
    let primary = RedisServer::launch(&Options::new()).unwrap();
    let (host, port) = ("127.0.0.1", primary.addr().port().to_string());
    let replica = RedisServer::launch(&Options::new().arguments(["--replicaof", host, &port])).unwrap();
    let (code, report) = run_json(&replica, "app", &["doctor", "--round-trips", "10"]);
    assert_eq!((code, level(&report, "role")), (1, "fail".into()), "{report}");
    primary.command(&["CONFIG", "SET", "maxmemory", "1mb"]).unwrap();
    let (_, report) = run_json(&primary, "app", &["doctor", "--round-trips", "10"]);
    assert_eq!(
        (level(&report, "memory"), level(&report, "eviction")),
        ("warn".into(), "warn".into()),
        "{report}"
    );
}

#[test]
fn a_server_that_is_away_and_one_that_refuses_are_told_apart() {
    let ran = Ran::of(program().args(["--url", "redis://:canary@127.0.0.1:1", "doctor"]));
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stdout.contains("fail connection"), "{ran:?}");
    ran.assert_without("canary");
    let server = RedisServer::launch(&Options::new().password("right")).unwrap();
    let url = format!("redis://:canary@{}", server.addr());
    for arguments in [&["--url", &url, "doctor"][..], &["--url", &url, "--json", "keys"]] {
        let ran = Ran::of(program().args(arguments));
        assert_eq!(ran.code, 2, "{ran:?}");
        ran.assert_without("canary");
    }
    let url = format!("redis://:right@{}", server.addr());
    let ran = Ran::of(program().args(["--url", &url, "doctor", "--round-trips", "10"]));
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.assert_without("right@");
}

/// Neither a server that hangs nor one that ends in between holds the program up.
#[test]
fn a_server_that_does_not_answer_is_unreachable_in_a_bounded_time() {
    let server = RedisServer::launch(&Options::new()).unwrap();
    server.stop().unwrap();
    let began = std::time::Instant::now();
    for arguments in [
        &["keys"][..],
        &["get", "k"],
        &["doctor"],
        &["stats"],
        &["invalidate", "tag", "t", "--apply", "--yes"],
    ] {
        let ran = run(&server, "app", arguments);
        assert_eq!(ran.code, 3, "{arguments:?}: {ran:?}");
    }
    assert!(began.elapsed() < std::time::Duration::from_secs(30), "{:?}", began.elapsed());
    server.cont().unwrap();
}
