//! `warm`, `export` and `import`: what goes out comes in again, and half a file never does.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::fs;
use std::path::PathBuf;

use cache_factory::ai::Tenant;
use cache_factory::durations::mins;
use cache_factory::{CacheConfig, CacheFactory, SetOptions};
use common::{cache, fresh, run, run_json, shared};
use serde_json::{Value, json};

/// A folder that is removed with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("cachectl-{test}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

#[tokio::test]
async fn a_file_warms_a_cache_and_leaves_what_is_there() {
    let (server, namespace, folder) = (shared(), fresh("warm"), Folder::new("warm"));
    let cache = cache(server, &namespace).await;
    cache.set("b", "old", mins(5)).await.unwrap();
    let file = folder.file("warm.jsonl");
    let lines = [
        json!({"key": "a", "value": {"n": 1}, "ttl_ms": 60_000, "tags": ["t"]}),
        json!({"key": "b", "value": "new"}),
    ];
    fs::write(&file, lines.map(|line| line.to_string()).join("\n")).unwrap();
    let (code, report) = run_json(server, &namespace, &["warm", &file]);
    assert_eq!((code, &report["count"], &report["skipped"]), (0, &json!(1), &json!(1)), "{report}");
    assert_eq!(*cache.get::<Value>("a").await.unwrap().unwrap(), json!({"n": 1}));
    let (_, got) = run_json(server, &namespace, &["get", "a"]);
    assert_eq!((&got["ttl_ms"], &got["tags"]), (&json!(60_000), &json!(["t"])));
    assert_eq!(run_json(server, &namespace, &["get", "b"]).1["value"], "old");
    assert_eq!(run_json(server, &namespace, &["warm", &file, "--overwrite"]).1["count"], 2);
    assert_eq!(run_json(server, &namespace, &["get", "b"]).1["value"], "new");
}

#[tokio::test]
async fn what_a_production_cache_has_is_overwritten_only_by_an_express_word() {
    let (server, folder) = (shared(), Folder::new("production"));
    let namespace = format!("{}-prod", fresh("warm"));
    let cache = cache(server, &namespace).await;
    cache.set("a", "old", mins(5)).await.unwrap();
    let file = folder.file("warm.jsonl");
    fs::write(&file, "{\"key\":\"a\",\"value\":\"new\"}\n").unwrap();
    // What is there is left as it is, so nobody is asked.
    assert_eq!(run_json(server, &namespace, &["warm", &file]).1["skipped"], 1);
    for arguments in [&["warm", &file, "--overwrite"][..], &["import", &file]] {
        let refused = run(server, &namespace, arguments);
        let is_said = refused.stderr.contains("`prod` stands in the namespace")
            && refused.stderr.contains("needs --yes; nothing was changed");
        assert!(refused.code == 2 && is_said, "{refused:?}");
        assert_eq!(run_json(server, &namespace, &["get", "a"]).1["value"], "old");
    }
    for arguments in [&["warm", &file, "--overwrite", "--yes"][..], &["import", &file, "--yes"]] {
        cache.set("a", "old", mins(5)).await.unwrap();
        assert_eq!(run_json(server, &namespace, arguments).1["count"], 1);
        assert_eq!(run_json(server, &namespace, &["get", "a"]).1["value"], "new");
    }
}

#[tokio::test]
async fn a_bad_line_stores_nothing() {
    let (namespace, folder) = (fresh("bad"), Folder::new("bad"));
    let file = folder.file("bad.jsonl");
    fs::write(&file, "{\"key\":\"a\",\"value\":1}\n{\"key\":\"b\"}\n").unwrap();
    for command in ["warm", "import"] {
        let ran = run(shared(), &namespace, &[command, &file]);
        assert!(ran.code == 2 && ran.stderr.contains("line 2"), "{ran:?}");
    }
    assert_eq!(run_json(shared(), &namespace, &["keys"]).1["count"], 0);
    for command in ["warm", "import"] {
        let missing = run(shared(), &namespace, &[command, "/no/such/file"]);
        assert!(missing.code == 2 && missing.stderr.contains("no such file: /no/such/file"), "{missing:?}");
    }
}

#[tokio::test]
async fn what_was_exported_comes_in_elsewhere() {
    let (server, from, to, folder) = (shared(), fresh("from"), fresh("to"), Folder::new("export"));
    let cache = cache(server, &from).await;
    let value = json!({"a": [1, -2.5, null, "é"]});
    cache.set("user:1", &value, SetOptions::ttl(mins(5)).tag("t")).await.unwrap();
    cache.set("other", "x", mins(5)).await.unwrap();
    // By numbers, which JSON does not have.
    cache.set("user:2", &std::collections::BTreeMap::from([(1_u8, 2_u8)]), mins(5)).await.unwrap();
    let file = folder.file("out.jsonl");
    let (code, report) = run_json(server, &from, &["export", &file, "--pattern", "user:*"]);
    assert_eq!((code, &report["count"], &report["skipped"]), (0, &json!(1), &json!(1)), "{report}");
    let again = run(server, &from, &["export", &file]);
    assert_eq!(again.code, 1, "a file is not written over: {again:?}");
    assert!(again.stderr.contains("--overwrite"), "{again:?}");
    let (code, report) = run_json(server, &to, &["import", &file]);
    assert_eq!((code, &report["count"]), (0, &json!(1)));
    let (_, got) = run_json(server, &to, &["get", "user:1"]);
    assert_eq!((&got["value"], &got["tags"], &got["state"]), (&value, &json!(["t"]), &json!("fresh")));
    assert!(got["ttl_ms"].as_u64() <= Some(300_000));
    run_json(server, &to, &["import", &file, "--fresh-for-ms", "7000"]);
    assert_eq!(run_json(server, &to, &["ttl", "user:1"]).1["ttl_ms"], 7000);
}

#[tokio::test]
async fn ai_answers_go_with_their_checksums() {
    let (server, from, to, folder) = (shared(), fresh("ai-from"), fresh("ai-to"), Folder::new("ai"));
    let ai = async |namespace: &str| {
        let toml = format!("namespace = '{namespace}'\n[redis]\nurl = '{}'", server.url());
        let config = CacheConfig::from_toml(&toml).unwrap();
        CacheFactory::new().ai_from_config(config).await.unwrap().for_tenant(Tenant::shared())
    };
    let _ = ai(&from).await.cache_response("q", "qa", &(), &"answer".to_owned()).await.unwrap();
    let file = folder.file("ai.jsonl");
    let (code, report) = run_json(server, &from, &["export", &file, "--ai"]);
    assert_eq!((code, &report["count"]), (0, &json!(1)), "{report}");
    let (code, report) = run_json(server, &to, &["import", &file]);
    assert_eq!((code, &report["count"]), (0, &json!(1)), "{report}");
    let found = ai(&to).await.get_cached_response::<String>("q", "qa", &()).await.unwrap().unwrap();
    assert_eq!(found.as_str(), "answer");
    let text = fs::read_to_string(&file).unwrap().replace("answer", "changed");
    fs::write(&file, text).unwrap();
    let changed = run(server, &to, &["import", &file]);
    assert!(changed.code == 2 && changed.stderr.contains("checksum"), "{changed:?}");
}

#[tokio::test]
async fn ai_shows_what_is_stored_and_what_a_hit_spares() {
    use cache_factory::ai::{AiRequest, Generated, Loaded, Usage};

    let (server, namespace) = (shared(), fresh("ai-stored"));
    let empty = run(server, &namespace, &["ai"]);
    assert!(empty.code == 0 && empty.stdout.starts_with("ok   no answers"), "{empty:?}");

    let toml = format!("namespace = '{namespace}'\n[redis]\nurl = '{}'", server.url());
    let ai = CacheFactory::new().ai_from_config(CacheConfig::from_toml(&toml).unwrap()).await.unwrap();
    for (operation, text, input) in [("qa", "a", 100), ("qa", "b", 300), ("chat\u{1b}[31m", "c", 7)] {
        let request = AiRequest::new(Tenant::shared(), operation).model("m-1").message("user", text);
        let answer =
            move || async move { Loaded::Ok(Generated::new("said".to_owned()).usage(Usage::new(input, 20))) };
        ai.get_or_generate(&request, cache_factory::ai::Control::new(), answer).await.unwrap();
    }
    // Answers are stored after those who wait have them.
    cache_testkit::eventually(std::time::Duration::from_secs(10), "three are stored", || {
        run_json(server, &namespace, &["ai"]).1["answers"] == 3
    })
    .await
    .unwrap();
    let (_, report) = run_json(server, &namespace, &["ai"]);
    assert_eq!((&report["input_tokens"], &report["output_tokens"]), (&json!(407), &json!(60)), "{report}");
    let line = &report["by"][0];
    assert_eq!(
        (&line["operation"], &line["model"], &line["answers"]),
        (&json!("qa"), &json!("m-1"), &json!(2))
    );
    let human = run(server, &namespace, &["ai"]);
    assert!(
        human.stdout.starts_with("ok   3 answers") && human.stdout.contains("a hit spares 155 tokens"),
        "{human:?}"
    );
    human.assert_without("\u{1b}");
}
