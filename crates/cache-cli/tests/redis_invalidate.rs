//! `invalidate` shows first, does it only when told to, and asks more of a production cache.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use cache_factory::ai::Tenant;
use cache_factory::durations::mins;
use cache_factory::{Cache, CacheConfig, CacheFactory, SetOptions};
use common::{Ran, cache, fresh, program, run, run_json, shared};
use serde_json::json;

async fn has(cache: &Cache, key: &str) -> bool {
    cache.get::<String>(key).await.unwrap().is_some()
}

async fn filled(namespace: &str) -> Cache {
    let cache = cache(shared(), namespace).await;
    for (key, tag) in [("user:1", "a"), ("user:2", "b"), ("order:1", "a")] {
        cache.set(key, "x", SetOptions::ttl(mins(5)).tag(tag)).await.unwrap();
    }
    cache
}

#[tokio::test]
async fn without_apply_nothing_is_changed() {
    let namespace = fresh("dry");
    let cache = filled(&namespace).await;
    for (by, value, count) in [
        ("key", "user:1", 1),
        ("key", "no", 0),
        ("tag", "a", 2),
        ("tag", "unknown", 0),
        ("pattern", "user:*", 2),
        ("pattern", "*", 3),
        ("operation", "qa", 0),
    ] {
        let (code, report) = run_json(shared(), &namespace, &["invalidate", by, value]);
        assert_eq!(
            (code, &report["count"], &report["applied"]),
            (0, &json!(count), &json!(false)),
            "{report}"
        );
    }
    let human = run(shared(), &namespace, &["invalidate", "pattern", "user:*"]);
    assert!(
        human.stdout.contains("     user:1\n") && human.stdout.contains("nothing was changed"),
        "{human:?}"
    );
    for key in ["user:1", "user:2", "order:1"] {
        assert!(has(&cache, key).await);
    }
}

#[tokio::test]
async fn with_yes_it_is_done_and_every_process_is_told() {
    let namespace = fresh("apply");
    let cache = filled(&namespace).await;
    // Nobody can be asked here.
    let refused = run(shared(), &namespace, &["invalidate", "key", "user:1", "--apply"]);
    assert!(refused.code == 2 && refused.stderr.contains("--yes"), "{refused:?}");
    assert!(has(&cache, "user:1").await);
    let gone = async |arguments: &[&str], key: &str| {
        let mut all = vec!["invalidate"];
        all.extend(arguments);
        all.extend(["--apply", "--yes"]);
        let (code, report) = run_json(shared(), &namespace, &all);
        assert_eq!((code, &report["applied"]), (0, &json!(true)), "{report}");
        let other = common::cache(shared(), &namespace).await;
        assert!(!other.exists(key).await.unwrap(), "{key}");
    };
    gone(&["key", "user:1"], "user:1").await;
    assert!(has(&cache, "user:2").await && has(&cache, "order:1").await);
    gone(&["tag", "a"], "order:1").await;
    assert!(has(&cache, "user:2").await);
    gone(&["pattern", "user:*"], "user:2").await;
}

#[tokio::test]
async fn a_production_cache_wants_an_express_word() {
    let namespace = format!("{}-prod", fresh("marked"));
    let cache = filled(&namespace).await;
    let refused = run(shared(), &namespace, &["invalidate", "tag", "a", "--apply"]);
    assert!(refused.code == 2 && refused.stderr.contains("production"), "{refused:?}");
    let mut command = program();
    let url = shared().url();
    let marked = fresh("said");
    let other = filled(&marked).await;
    command.env("CACHE_PRODUCTION", "true").args(["--url", &url, "--namespace", &marked]);
    let refused = Ran::of(command.args(["invalidate", "pattern", "*", "--apply"]));
    assert!(refused.code == 2 && refused.stderr.contains("production = true"), "{refused:?}");
    assert!(has(&cache, "user:1").await && has(&other, "user:1").await);
    assert_eq!(run(shared(), &namespace, &["invalidate", "tag", "a", "--apply", "--yes"]).code, 0);
    let (_, got) = run_json(shared(), &namespace, &["ttl", "user:1"]);
    assert_eq!(got["state"], "invalidated");
}

#[tokio::test]
async fn what_the_limit_left_is_said_and_no_success() {
    let namespace = fresh("limited");
    filled(&namespace).await;
    let arguments = ["invalidate", "pattern", "*", "--limit", "1", "--apply", "--yes"];
    let first = run(shared(), &namespace, &arguments);
    assert_eq!(first.code, 1, "{first:?}");
    for words in ["fail 1 entries of", "more are left", "run it again", "--limit"] {
        assert!(first.stdout.contains(words), "{first:?}");
    }
    let left = || run_json(shared(), &namespace, &["keys"]).1["count"].clone();
    assert_eq!(left(), 2);
    let (code, second) = run_json(shared(), &namespace, &arguments);
    assert_eq!(
        (code, &second["applied"], &second["count"], &second["more_are_left"]),
        (1, &json!(true), &json!(1), &json!(true)),
        "{second}"
    );
    let (code, third) = run_json(shared(), &namespace, &arguments);
    assert_eq!((code, &third["count"], &third["more_are_left"]), (0, &json!(1), &json!(false)), "{third}");
    assert_eq!(left(), 0);
    // A tag is voided as a whole, however many entries were counted.
    filled(&namespace).await;
    let arguments = ["invalidate", "tag", "a", "--limit", "1", "--apply", "--yes"];
    let (code, tag) = run_json(shared(), &namespace, &arguments);
    assert_eq!((code, &tag["more"], &tag["more_are_left"]), (0, &json!(true), &json!(false)), "{tag}");
    for key in ["order:1", "user:1"] {
        assert_eq!(run_json(shared(), &namespace, &["ttl", key]).1["state"], "invalidated");
    }
}

/// Runs the program with a terminal as its input, on which this is typed.
fn answered(namespace: &str, arguments: &[&str], answer: &str) -> (i32, String) {
    use std::io::Write;
    use std::process::{Command, Stdio};

    let (mut ours, theirs) = common::terminal();
    writeln!(ours, "{answer}").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_cachectl"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CACHE_")) {
        command.env_remove(name);
    }
    command.args(["--url", &shared().url(), "--namespace", namespace]).args(arguments);
    let output = command.stdin(theirs).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8(text).unwrap())
}

#[tokio::test]
async fn on_a_terminal_it_is_asked_for_and_only_yes_is_yes() {
    let namespace = fresh("asked");
    let cache = filled(&namespace).await;
    let arguments = ["invalidate", "key", "user:1", "--apply"];
    for no in ["", "no", "y"] {
        let (code, text) = answered(&namespace, &arguments, no);
        assert!(code == 1 && text.contains("it was not confirmed"), "{code} {text}");
    }
    assert!(has(&cache, "user:1").await);
    let (code, text) = answered(&namespace, &arguments, "yes");
    assert!(
        code == 0 && text.contains("would be invalidated") && text.contains("type `yes`"),
        "{code} {text}"
    );
    assert_eq!(run(shared(), &namespace, &["get", "user:1"]).code, 1);
    // A production cache is not asked about: it wants the option.
    let marked = format!("{namespace}-prod");
    let cache = filled(&marked).await;
    assert_eq!(answered(&marked, &arguments, "yes").0, 2);
    assert!(has(&cache, "user:1").await);
}

#[tokio::test]
async fn the_answers_of_an_operation_are_counted_and_voided() {
    let namespace = fresh("operation");
    let toml = format!("namespace = '{namespace}'\n[redis]\nurl = '{}'", shared().url());
    let config = CacheConfig::from_toml(&toml).unwrap();
    let ai = CacheFactory::new().ai_from_config(config).await.unwrap().for_tenant(Tenant::shared());
    for (text, operation) in [("one", "qa"), ("two", "qa"), ("three", "qa_long")] {
        let _ = ai.cache_response(text, operation, &(), &"answer".to_owned()).await.unwrap();
    }
    let (_, report) = run_json(shared(), &namespace, &["invalidate", "operation", "qa"]);
    assert_eq!(report["count"], 2, "{report}");
    let (_, got) = run_json(shared(), &namespace, &["get", report["sample"][0].as_str().unwrap()]);
    assert!(got["value"].to_string().contains("answer"), "{got}");
    let (code, _) = run_json(shared(), &namespace, &["invalidate", "operation", "qa", "--apply", "--yes"]);
    assert_eq!(code, 0);
    assert_eq!(run_json(shared(), &namespace, &["invalidate", "operation", "qa"]).1["count"], 0);
    assert_eq!(run_json(shared(), &namespace, &["invalidate", "operation", "qa_long"]).1["count"], 1);
}

#[test]
fn what_cannot_be_a_tag_or_a_choice_is_bad_use() {
    for arguments in
        [&["invalidate", "tag", ""][..], &["invalidate", "all", "x"], &["invalidate", "key", "k", "--yes"]]
    {
        assert_eq!(run(shared(), "app", arguments).code, 2, "{arguments:?}");
    }
}
