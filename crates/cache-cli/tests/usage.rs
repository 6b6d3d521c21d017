//! The command line: what is wrong with it is said, and no secret is repeated.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use common::{Ran, program};
use serde_json::{Value, json};

fn ran(arguments: &[&str]) -> Ran {
    Ran::of(program().args(arguments))
}

#[test]
fn help_says_what_the_exit_codes_mean() {
    let help = ran(&["--help"]);
    assert_eq!(help.code, 0);
    assert!(help.stdout.contains("Exit codes:") && help.stdout.contains("doctor"), "{help:?}");
}

#[test]
fn bad_use_is_2_and_an_unreachable_store_is_3() {
    for arguments in [
        &["no-such-command"][..],
        &["get"],
        &["keys", "--limit", "0"],
        &["keys"],
        &["ai"],
        &["warm", "tests/data/catalogue.jsonl"],
        &["import", "tests/data/catalogue.jsonl"],
        &["--url", "nonsense", "keys"],
        &["--config", "/no/such/file.toml", "keys"],
        &["--namespace", "", "--url", "redis://127.0.0.1:1", "keys"],
        &["explain", "text", "--operation", "qa", "--options", "{"],
        &["explain", "text", "--operation", "qa", "--tenant", "sk-live-1"],
    ] {
        let ran = ran(arguments);
        assert_eq!(ran.code, 2, "{arguments:?}: {ran:?}");
        assert!(!ran.stderr.is_empty() && ran.stdout.is_empty(), "{arguments:?}: {ran:?}");
    }
    // Without TLS an address that asks for it is a mistake.
    let encrypted = if cfg!(feature = "tls") { 3 } else { 2 };
    for (url, code) in [("redis://127.0.0.1:1", 3), ("rediss://127.0.0.1:1", encrypted)] {
        let away = ran(&["--url", url, "keys"]);
        assert_eq!(away.code, code, "{away:?}");
    }
}

#[test]
fn a_password_is_repeated_nowhere() {
    for url in [
        "redis://:canary@127.0.0.1:1",
        "redis://u:canary@127.0.0.1:1/0",
        "redis:/:canary@h",
        "rediss://:canary@h",
    ] {
        for arguments in [
            &["--url", url, "keys"][..],
            &["--url", url, "--json", "get", "k"],
            &["--url", url, "doctor"],
            &["keys", "--url", url, "--bogus"],
        ] {
            let ran = ran(arguments);
            assert!(ran.code >= 2, "{ran:?}");
            ran.assert_without("canary");
        }
    }
    ran(&["keys", "x", "redis://:canary@127.0.0.1:1"]).assert_without("canary");
    ran(&[&format!("--bogus={}", "redis://:canary@127.0.0.1:1"), "keys"]).assert_without("canary");
    let variable = Ran::of(program().env("CACHE_REDIS_URL", "redis://:canary@127.0.0.1:1").arg("keys"));
    assert_eq!(variable.code, 3, "{variable:?}");
    variable.assert_without("canary");
    let unknown = Ran::of(program().env("CACHE_REDIS_PASWORD", "canary").arg("keys"));
    assert!(
        unknown.code == 2 && unknown.stderr.contains("did you mean CACHE_REDIS_PASSWORD?"),
        "{unknown:?}"
    );
    unknown.assert_without("canary");
}

#[test]
fn a_store_that_is_away_is_named_and_no_step_of_ours_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out");
    let file = file.to_str().unwrap();
    for arguments in [
        &["keys"][..],
        &["ai"],
        &["stats"],
        &["doctor"],
        &["watch"],
        &["warm", "tests/data/catalogue.jsonl"],
        &["export", file],
        &["invalidate", "key", "k"],
    ] {
        let ran = Ran::of(program().args(["--url", "redis://u:canary@127.0.0.1:1/2"]).args(arguments));
        let text = format!("{}{}", ran.stdout, ran.stderr);
        assert_eq!((ran.code, text.matches("127.0.0.1:1").count()), (3, 1), "{arguments:?}: {ran:?}");
        for word in ["canary", "inspect", "from_config", "from_variables"] {
            ran.assert_without(word);
        }
    }
    for arguments in [
        &["--namespace", "", "--url", "redis://h", "keys"][..],
        &["--url", "nonsense", "keys"],
        &["--url", "nonsense", "ai"],
        &["--url", "nonsense", "warm", "tests/data/catalogue.jsonl"],
        &["--config", "/no/such/file.toml", "keys"],
    ] {
        let ran = ran(arguments);
        assert_eq!(ran.code, 2, "{ran:?}");
        for word in ["inspect", "from_config", "from_variables"] {
            ran.assert_without(word);
        }
    }
    let unnamed = Ran::of(program().env("CACHE_PRESET", "x").arg("keys"));
    unnamed.assert_without("from_variables");
}

#[test]
fn what_may_be_an_address_is_not_repeated_wherever_it_stands() {
    for arguments in [
        &["u:CANARY@h:6379"][..],
        &[":CANARY@127.0.0.1:7391"],
        &["redis://:CANARY\u{1b}[31m@h/"],
        &["redis://:CAN\u{7}ARY@h/"],
        &["u:CANARY\u{1b}[@h:6379"],
        &["redis\u{1b}:/\u{1b}[0m/:CANARY\u{9b}@h"],
        &["keys", "--limit", "u:CANARY@h"],
        &["invalidate", "u:CANARY@h", "x"],
    ] {
        let ran = ran(arguments);
        assert!(ran.code == 2 && ran.stderr.contains("not shown"), "{ran:?}");
        assert!(ran.stderr.contains("argument "), "{ran:?}");
        for word in ["CANARY", "ARY", "\u{1b}", "\u{7}"] {
            ran.assert_without(word);
        }
    }
    let placed = ran(&["keys", "--limit", "u:CANARY@h"]);
    assert!(placed.stderr.contains("argument 3"), "{placed:?}");
    // What is wrong beside it is named as ever.
    ran(&["--bogus=:CANARY@h", "keys"]).assert_without("CANARY");
    let beside = ran(&["keys", "--url", "redis://:CANARY@h", "--bogus"]);
    assert!(beside.code == 2 && beside.stderr.contains("'--bogus'"), "{beside:?}");
    beside.assert_without("CANARY");
}

#[cfg(unix)]
#[test]
fn an_argument_that_is_no_text_is_bad_use() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    for arguments in [&["get"][..], &[], &["--url"], &["keys", "--limit"]] {
        let ran = Ran::of(program().args(arguments).arg(OsStr::from_bytes(b"\xff\xfe")));
        assert!(ran.code == 2 && ran.stderr.contains("error: "), "{ran:?}");
    }
}

#[test]
fn a_key_is_explained_without_a_store() {
    let plain = ran(&["--json", "explain", "What is a cache?", "--operation", "qa", "--tenant", "acme"]);
    let it: Value = plain.json();
    assert_eq!((plain.code, &it["operation"], &it["text_tier"]), (0, &json!("qa"), &json!("small")), "{it}");
    assert_eq!(it["ttl_ms"].as_u64().map(|ms| ms / 1_000_000), Some(1), "30 minutes and a little: {it}");
    assert!(it["full_key"].as_str().unwrap().starts_with("app:ai:acme:qa:"), "{it}");
    assert!(it["tags"].as_array().unwrap().contains(&json!("ai.op=qa")), "{it}");
    let other = ran(&["--json", "explain", "What is a cache?", "--operation", "qa"]).json();
    assert_ne!(other["key"], it["key"], "another tenant");
    let read = Ran::of(
        program().args(["--json", "explain", "-", "--operation", "qa"]).write_stdin("What is a cache?"),
    );
    assert_eq!(read.json()["key"], other["key"]);
}

#[test]
fn all_that_is_wrong_with_a_file_is_said_at_once() {
    let folder = std::env::temp_dir().join(format!("cachectl-usage-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("cache.toml");
    let check = |text: &str| {
        std::fs::write(&path, text).unwrap();
        ran(&["--json", "config", "check", path.to_str().unwrap()])
    };
    let bad = check(
        "default_tll = 5\nl1_cache_size = -1\n[redis]\nurl = 'redis://:canary@h:x'\nconnect_timeout = 600",
    );
    let good = check("default_ttl = 5\n[redis]\nurl = 'redis://:canary@h'");
    let elsewhere = check(
        "environment = 'production'\n[redis]\npassword_file = '/no/such/file'\n[ai]\ntext_hash_threshold = 9",
    );
    std::fs::remove_dir_all(&folder).unwrap();
    let problems = bad.json()["problems"].as_array().unwrap().len();
    assert_eq!((bad.code, problems), (1, 4), "{bad:?}");
    assert!(bad.stdout.contains("did you mean default_ttl?"), "{bad:?}");
    bad.assert_without("canary");
    assert_eq!((good.code, &good.json()["problems"]), (0, &json!([])), "{good:?}");
    assert_eq!(good.json()["warnings"], json!([]), "{good:?}");
    for words in
        ["feature `zstd`", "`ai_from_config` takes it", "password_file /no/such/file: there is no such file"]
    {
        assert!(elsewhere.code == 0 && elsewhere.stdout.contains(words), "{elsewhere:?}");
    }
    assert_eq!(ran(&["config", "check", "/no/such/file.toml"]).code, 1);
}

#[test]
fn the_schema_of_a_configuration_is_the_librarys() {
    for arguments in [&["config", "schema"][..], &["config", "schema", "--json"]] {
        let ran = ran(arguments);
        let schema: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!((ran.code, schema), (0, cache_factory::CacheConfig::json_schema()));
    }
}
