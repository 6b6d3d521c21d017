//! What nobody means to happen: readers that leave, files that fill up, servers that die, keys that command a terminal.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cache_factory::durations::mins;
use cache_testkit::redis::{Options, RedisServer};
use common::{Ran, cache, fresh, program, run, run_json, shared};
use serde_json::json;

/// The program with its output in a pipe.
fn started(namespace: &str, arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cachectl"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CACHE_")) {
        command.env_remove(name);
    }
    command.args(["--url", &shared().url(), "--namespace", namespace]).args(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// How it ended, within ten seconds.
fn ended(child: &mut Child) -> i32 {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code().unwrap_or(-1);
        }
        if began.elapsed() > Duration::from_secs(10) {
            child.kill().unwrap();
            panic!("it does not end");
        }
        std::thread::yield_now();
    }
}

#[test]
fn watch_ends_when_nobody_reads_any_more() {
    let mut child = started(&fresh("unread"), &["watch", "--interval-ms", "100"]);
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert!(line.contains("tick 1"), "{line}");
    drop(output);
    assert_eq!(ended(&mut child), 0);
}

#[cfg(unix)]
#[test]
fn watch_ends_when_it_is_told_to() {
    use rustix::process::{Pid, Signal, kill_process};

    for signal in [Signal::INT, Signal::TERM] {
        let mut child = started(&fresh("stopped"), &["watch", "--interval-ms", "60000"]);
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(ended(&mut child), 0, "{signal:?}");
    }
}

#[cfg(unix)]
#[test]
fn on_a_terminal_watch_draws_on_a_screen_of_its_own_and_leaves_it() {
    let (ours, theirs) = common::terminal();
    let mut command = Command::new(env!("CARGO_BIN_EXE_cachectl"));
    command.env("TERM", "xterm").env("NO_COLOR", "1");
    command.args(["--url", &shared().url(), "--namespace", &fresh("drawn")]);
    command.args(["watch", "--count", "3", "--interval-ms", "100"]);
    let mut child = command.stdout(theirs).stderr(Stdio::null()).spawn().unwrap();
    drop(command);
    let reader = std::thread::spawn(move || {
        let (mut ours, mut text, mut piece) = (ours, Vec::new(), [0; 4096]);
        // A terminal whose other end is gone is an error.
        while let Ok(length @ 1..) = ours.read(&mut piece) {
            text.extend(&piece[..length]);
        }
        String::from_utf8_lossy(&text).into_owned()
    });
    assert_eq!(ended(&mut child), 0);
    let text = reader.join().unwrap();
    let (drawn, after) = text.split_once("\u{1b}[?1049l").unwrap_or_else(|| panic!("{text:?}"));
    assert!(
        drawn.starts_with("\u{1b}[?1049h") && drawn.contains("tick 2") && drawn.contains("Ctrl-C"),
        "{text:?}"
    );
    assert!(drawn.ends_with("\u{1b}[?7h\u{1b}[?25h"), "the cursor is back: {text:?}");
    assert!(!drawn.contains("\u{1b}[3"), "no colours were asked for: {text:?}");
    assert!(after.contains("tick 3"), "what was seen last stays: {text:?}");
}

#[tokio::test]
async fn what_is_stored_commands_no_terminal() {
    let (server, namespace) = (shared(), fresh("escapes"));
    let cache = cache(server, &namespace).await;
    let evil = "user:\u{1b}]0;owned\u{7}\u{202e}\u{9b}31m";
    cache
        .set(evil, "\u{1b}[2Jvalue", cache_factory::SetOptions::ttl(mins(5)).tag("t\u{1b}[31m"))
        .await
        .unwrap();
    for arguments in [
        &["keys", "--long"][..],
        &["keys"],
        &["get", evil],
        &["ttl", evil],
        &["diagnose"],
        &["advise"],
        &["invalidate", "pattern", "*"],
        &["get", "no\u{1b}[31m"],
        &["invalidate", "tag", "t\u{1b}[31m"],
    ] {
        let ran = run(server, &namespace, arguments);
        for character in ['\u{1b}', '\u{7}', '\u{202e}', '\u{9b}'] {
            ran.assert_without(&character.to_string());
        }
    }
}

#[tokio::test]
async fn json_commands_no_terminal_either() {
    let (server, namespace) = (shared(), fresh("escapes-json"));
    let cache = cache(server, &namespace).await;
    let odd: Vec<char> =
        "\u{7f}\u{80}\u{9b}\u{9f}\u{200e}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}\u{2028}\u{2029}\u{61c}"
            .chars()
            .collect();
    let evil: String = odd.iter().collect();
    let options = cache_factory::SetOptions::ttl(mins(5)).tag(format!("t{evil}"));
    cache.set(format!("k{evil}é"), &format!("v{evil}é"), options).await.unwrap();
    let key = format!("k{evil}é");
    let plain = |text: &str| {
        for character in &odd {
            assert!(!text.contains(*character), "{text:?}");
        }
    };
    for arguments in [&["get", &key][..], &["keys"], &["keys", "--long"], &["get", &evil]] {
        let mut all = vec!["--json"];
        all.extend(arguments);
        let as_json = run(server, &namespace, &all);
        plain(&format!("{}{}", as_json.stdout, as_json.stderr));
        let ran = run(server, &namespace, arguments);
        plain(&format!("{}{}", ran.stdout, ran.stderr));
    }
    let got = run_json(server, &namespace, &["get", &key]).1;
    assert_eq!((&got["key"], &got["value"]), (&json!(key), &json!(format!("v{evil}é"))), "the same");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out.jsonl");
    assert_eq!(run(server, &namespace, &["export", file.to_str().unwrap()]).code, 0);
    let text = std::fs::read_to_string(&file).unwrap();
    plain(&text);
    assert!(text.contains("\\u009b") && text.contains('é'), "{text:?}");
    assert_eq!(run(server, &namespace, &["import", file.to_str().unwrap()]).code, 0);
    assert_eq!(run_json(server, &namespace, &["get", &key]).1["value"], got["value"]);
}

#[tokio::test]
async fn an_export_that_fails_leaves_the_one_that_was_there() {
    let (server, namespace) = (RedisServer::launch(&Options::new()).unwrap(), fresh("export"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out.jsonl");
    let name = file.to_str().unwrap();
    cache(&server, &namespace).await.set("k", "v", mins(5)).await.unwrap();
    assert_eq!(run(&server, &namespace, &["export", name]).code, 0);
    let whole = std::fs::read_to_string(&file).unwrap();
    for arguments in
        [&["export", "--overwrite", "/dev/full"][..], &["export", "--ai", "--overwrite", "/dev/full"]]
    {
        let full = run(&server, &namespace, arguments);
        assert!(full.code == 1 && full.stderr.contains("/dev/full"), "{full:?}");
        assert!(full.stdout.is_empty(), "nothing is said to be exported: {full:?}");
    }
    drop(server);
    let mut command = program();
    command.args(["--url", "redis://127.0.0.1:1", "--namespace", &namespace, "export", "--overwrite", name]);
    assert_eq!(Ran::of(&mut command).code, 3);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), whole);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing lies about");
}

#[test]
fn keys_of_others_are_counted_among_what_was_left_out() {
    let (server, namespace) = (shared(), fresh("left-out"));
    for key in [b"\xff\xfe".to_vec(), vec![b'k'; 3000], b"foreign".to_vec()] {
        let full = [namespace.as_bytes(), b":", &key].concat();
        server.command(&[b"SET", &full[..], b"x"]).unwrap();
    }
    let (code, report) = run_json(server, &namespace, &["export", "--overwrite", "/dev/null"]);
    // The first byte of one of them is the cache's own.
    assert_eq!((code, &report["count"], &report["skipped"]), (0, &json!(0), &json!(2)), "{report}");
}

#[test]
fn doctor_finds_that_the_caches_own_key_is_somebody_elses() {
    let (server, namespace) = (shared(), fresh("marks"));
    let full = format!("{namespace}:");
    server.command(&[b"SET", full.as_bytes(), b"x"]).unwrap();
    let ran = run(server, &namespace, &["doctor", "--round-trips", "10"]);
    assert!(ran.code == 1 && ran.stdout.contains("fail operations  marks of invalidations"), "{ran:?}");
}

#[test]
fn a_store_that_takes_no_changes_is_found_not_to_work() {
    let (server, namespace) = (shared(), fresh("not-working"));
    let full = format!("{namespace}:");
    server.command(&[b"SET", full.as_bytes(), b"x"]).unwrap();
    for arguments in [&["diagnose", "not-working"][..], &["diagnose"]] {
        let (code, report) = run_json(server, &namespace, arguments);
        assert_eq!(code, 1, "{report}");
        let found = &report["findings"][0];
        assert_eq!((&found["about"], &found["level"]), (&json!("not_working"), &json!("fail")), "{report}");
        assert!(found["found"].as_str().unwrap().contains("marks of invalidations: "), "{report}");
    }
    assert_eq!(run_json(server, &namespace, &["diagnose", "high-memory"]).0, 0);
    // The same failure has the same code, whichever command meets it.
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/catalogue.jsonl");
    for arguments in [&["warm", file][..], &["warm", "--overwrite", file], &["import", file]] {
        let ran = run(server, &namespace, arguments);
        assert!(ran.code == 1 && ran.stderr.contains("WRONGTYPE"), "{arguments:?}: {ran:?}");
    }
}

/// The address of a user of the shared server who may write this and no other keys.
fn limited(user: &str, namespace: &str, keys: &[&str]) -> String {
    let words = ["ACL", "SETUSER", user, "reset", "on", ">pass", "+@all", "%R~*"];
    let mut command = words.map(str::to_owned).to_vec();
    command.extend(keys.iter().map(|key| format!("~{namespace}:{key}")));
    shared().command(&command).unwrap();
    shared().url().replacen("redis://", &format!("redis://{user}:pass@"), 1)
}

#[tokio::test]
async fn what_breaks_off_says_how_much_was_done() {
    let namespace = fresh("partly");
    let cache = cache(shared(), &namespace).await;
    // The marks, and the keys that begin with `a`.
    let url = limited(&namespace, &namespace, &["", "a*", "?canary*"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("values.jsonl");
    let lines = ["a1", "a2", "b1", "a3"].map(|key| json!({"key": key, "value": 1}).to_string());
    std::fs::write(&file, lines.join("\n")).unwrap();
    let file = file.to_str().unwrap();
    for (arguments, words) in [
        (&["warm", file, "--overwrite"][..], "2 of 4 entries were stored before"),
        (&["import", file], "2 of 4 entries were stored before"),
        (&["invalidate", "pattern", "*", "--apply", "--yes"], "2 of 4 entries were invalidated before"),
    ] {
        if arguments[0] == "invalidate" {
            for key in ["a1", "a2", "b1", "c1"] {
                cache.set(key, "x", mins(5)).await.unwrap();
            }
        }
        let mut command = program();
        command.args(["--json", "--url", &url, "--namespace", &namespace]).args(arguments);
        let ran = Ran::of(&mut command);
        assert!(ran.code > 0 && ran.stderr.contains(words), "{arguments:?}: {ran:?}");
        let error: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
        assert_eq!(error["error"]["done"], 2, "{error}");
    }
    assert_eq!(run_json(shared(), &namespace, &["keys"]).1["count"], 2, "b1 and c1 are left");
    shared().command(&["ACL", "DELUSER", &namespace]).unwrap();
}

/// A configuration is read as the service reads it: all of it, whatever kind of cache it is for.
#[test]
fn a_services_configuration_is_understood_whole() {
    let (server, folder) = (shared(), tempfile::tempdir().unwrap());
    let file = folder.path().join("cache.toml");
    let namespace = fresh("service");
    let common =
        format!("namespace = '{namespace}'\ndebug_logging = true\n[redis]\nurl = '{}'\n", server.url());
    let monitor = "[performance_monitor]\nhit_ratio_warning = 0.5\n";
    let ai = "[ai]\ntext_hash_threshold = 100\n";
    std::fs::write(folder.path().join("values"), "{\"key\":\"k\",\"value\":1}\n").unwrap();
    let values = folder.path().join("values");
    for (environment, more, is_production) in [
        ("development", monitor, false),
        ("production", monitor, true),
        ("ai-production", ai, true),
        ("high-performance", ai, false),
    ] {
        std::fs::write(&file, format!("environment = '{environment}'\n{common}{more}")).unwrap();
        let ran = |arguments: &[&str]| {
            Ran::of(program().args(["--config", file.to_str().unwrap()]).args(arguments))
        };
        assert_eq!(ran(&["config", "check", file.to_str().unwrap()]).code, 0, "{environment}");
        for arguments in [&["warm", values.to_str().unwrap()][..], &["stats"], &["keys"], &["get", "k"]] {
            let ran = ran(arguments);
            assert_eq!(ran.code, 0, "{environment} {arguments:?}: {ran:?}");
        }
        let dry = ran(&["--json", "invalidate", "key", "k"]).json();
        assert_eq!(!dry["production"].is_null(), is_production, "{environment}: {dry}");
    }
}
