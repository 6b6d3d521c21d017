//! Answers as a file.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod common;

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use cache_ai::{
    AiCache, AiSettings, Control, EmbedSpec, Generated, Loaded, Namespace, NotCached, Source, Tenant, Which,
};
use cache_core::ErrorKind;
use cache_testkit::{FakeClock, Op, ReferenceServer, ReferenceStore};
use cache_tiered::BreakerState;
use common::{Model, ask, private, process, shared};
use serde_json::{Value, json};

async fn filled(cache: &AiCache) {
    let model = Model::default();
    cache.get_or_generate(&ask("a question"), Control::new(), model.says("an answer")).await.unwrap();
    let _ = shared(cache).cache_response("a text", "summarize", &(), &json!({"summary": 1.5})).await.unwrap();
    let spec = EmbedSpec::new(Tenant::shared(), "e-1");
    let embedder = |_| async { Loaded::Ok(vec![vec![0.1f32, -2.5e-8]]) };
    cache.embed_many(&spec, &["a"], embedder).await.unwrap();
}

async fn exported(cache: &AiCache) -> String {
    let mut out = Vec::new();
    assert_eq!(cache.export(&mut out).await.unwrap().answers, 3);
    String::from_utf8(out).unwrap()
}

#[tokio::test]
async fn what_was_recorded_is_replayed_without_a_network() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    for cache in [private(&clock, AiSettings::new()), process(&clock, &server, AiSettings::new())] {
        filled(&cache).await;
        let text = exported(&cache).await;
        let replay = private(&FakeClock::new(), AiSettings::new().only_if_cached(true));
        assert_eq!(replay.import(text.as_bytes(), Some(Duration::from_secs(60))).await.unwrap().answers, 3);
        let model = Model::default();
        let answer =
            replay.get_or_generate(&ask("a question"), Control::new(), model.says("?")).await.unwrap();
        assert_eq!((&***answer, answer.meta().source), ("an answer", Source::Cache));
        let summary = shared(&replay).get_cached_response::<Value>("a text", "summarize", &()).await.unwrap();
        assert_eq!(**summary.unwrap(), json!({"summary": 1.5}));
        let spec = EmbedSpec::new(Tenant::shared(), "e-1");
        let fails = |_| async { Err::<Vec<Vec<f32>>, _>(std::io::Error::other("asked")) };
        let vectors = replay.embed_many(&spec, &["a"], fails).await.unwrap();
        assert_eq!(vectors[0].0, [0.1f32, -2.5e-8]);
        let error = replay.get_or_generate(&ask("new"), Control::new(), model.says("?")).await.unwrap_err();
        assert!(error.downcast_ref::<NotCached>().is_some() && model.calls() == 0);
        // What was imported can be invalidated as before.
        assert_eq!(replay.count(&Which::Operation("qa".into())).await.unwrap(), 1);
        replay.invalidate(&Which::Tenant(common::acme())).await.unwrap();
        assert_eq!(replay.count(&Which::Operation("qa".into())).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn whatever_is_damaged_is_refused_and_nothing_of_it_is_stored() {
    let cache = private(&FakeClock::new(), AiSettings::new());
    filled(&cache).await;
    let text = exported(&cache).await;
    let lines: Vec<&str> = text.lines().collect();
    let joined = |lines: &[&str]| lines.join("\n") + "\n";
    let mut swapped = lines.clone();
    swapped.swap(1, 2);
    let damaged = [
        String::new(),
        text.replacen("\"version\":1", "\"version\":2", 1),
        text.replacen("an answer", "AN ANSWER", 1),
        joined(&lines[..lines.len() - 1]),
        joined(&[&lines[..2], &lines[3..]].concat()),
        joined(&swapped),
        joined(&lines[1..]),
        text.replacen("{\"check\"", "{\"chek\"", 1),
    ];
    for damaged in damaged {
        let other = private(&FakeClock::new(), AiSettings::new());
        let error = other.import(damaged.as_bytes(), None).await.unwrap_err();
        assert!(error.is_validation() && error.message().starts_with("line "), "{error}");
        assert_eq!(other.cache().stats().memory_usage.entries, 0);
    }
}

/// The file with one record changed, and its checksums made right again.
fn forged(text: &str, from: &str, to: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let last = lines.len() - 1;
    let mut all = blake3::Hasher::new();
    for line in &mut lines[1..last] {
        let (_, record) = line.split_once("\"record\":").unwrap();
        let record = record.strip_suffix('}').unwrap().replacen(from, to, 1);
        let check = blake3::hash(record.as_bytes()).to_hex();
        all.update(check.as_bytes());
        *line = format!("{{\"check\":\"{check}\",\"record\":{record}}}");
    }
    lines[last] = format!("{{\"end\":{},\"check\":\"{}\"}}", last - 1, all.finalize().to_hex());
    lines.join("\n") + "\n"
}

#[tokio::test]
async fn a_forged_file_is_all_or_nothing_and_never_another_requests_answer() {
    let cache = private(&FakeClock::new(), AiSettings::new());
    filled(&cache).await;
    let text = exported(&cache).await;
    let long = format!("\"tags\":[{}", "\"x\",".repeat(20));
    for (from, to) in [
        ("\"refused\":null", "\"refused\":\"length\""),
        ("\"tags\":[", &*long),
        ("\"tags\":[", "\"tags\":[\"\","),
        ("\"name\":\"ai:", "\"name\":\"session:"),
    ] {
        let other = private(&FakeClock::new(), AiSettings::new());
        let error = other.import(forged(&text, from, to).as_bytes(), None).await.unwrap_err();
        assert!(error.is_validation() && error.message().starts_with("line "), "{error}");
        assert_eq!(other.cache().stats().memory_usage.entries, 0, "{to}");
    }
    // The name of one request, the answer to another: the digest is compared on every hit.
    let other = private(&FakeClock::new(), AiSettings::new());
    let model = Model::default();
    other.get_or_generate(&ask("another"), Control::new(), model.says("its own")).await.unwrap();
    let mut file = Vec::new();
    other.export(&mut file).await.unwrap();
    let name = |file: &str| {
        let at = file.find("\"name\":\"ai:acme").unwrap() + 8;
        file[at..].split('"').next().unwrap().to_owned()
    };
    let (own, stolen) = (name(&text), name(std::str::from_utf8(&file).unwrap()));
    let forged = forged(&text, &own, &stolen);
    assert_ne!(forged, text);
    let target = private(&FakeClock::new(), AiSettings::new());
    target.import(forged.as_bytes(), None).await.unwrap();
    let answer =
        target.get_or_generate(&ask("another"), Control::new(), model.says("its own")).await.unwrap();
    assert_eq!((&***answer, target.stats().operations["qa"].verified_away), ("its own", 1));
}

#[tokio::test]
async fn without_request_text_nothing_of_a_question_is_in_the_store_or_in_an_export() {
    const CANARY: &str = "canary-7f3a";
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    let cache = process(&clock, &server, AiSettings::new().store_no_request_text());
    let question = format!("is {CANARY} here?");
    let _ =
        shared(&cache).cache_response(&question, "qa", &json!({"hint": CANARY}), &json!("no")).await.unwrap();
    let model = Model::default();
    let request = ask(&question).system(CANARY).option("hint", CANARY);
    cache.get_or_generate(&request, Control::new(), model.says("no")).await.unwrap();
    let mut out = Vec::new();
    cache.export(&mut out).await.unwrap();
    let shown = [String::from_utf8(out).unwrap(), format!("{server:?} {cache:?} {request:?}")];
    assert!(shown.iter().all(|text| !text.contains(CANARY)), "{shown:?}");
    let own = process(&clock, &server, AiSettings::new());
    let mut out = Vec::new();
    let _ = shared(&own).cache_response(&question, "qa", &(), &json!("no")).await.unwrap();
    own.export(&mut out).await.unwrap();
    assert!(String::from_utf8(out).unwrap().contains(CANARY), "the test can see it where it is");
}

#[tokio::test]
async fn what_is_no_json_is_counted_and_stands_in_nobodys_way() {
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    for cache in [private(&clock, AiSettings::new()), process(&clock, &server, AiSettings::new())] {
        filled(&cache).await;
        let numbered = BTreeMap::from([(1u32, "one".to_owned())]);
        let kept = numbered.clone();
        let generated = || async { Loaded::Ok(Generated::new(kept)) };
        let asked = ask("numbered");
        let _ = cache.get_or_generate(&asked, Control::new(), generated).await.unwrap();
        let written = cache.export(&mut Vec::new()).await.unwrap();
        assert_eq!((written.answers, written.left_out), (3, 1));
        assert_eq!(cache.stored_answers().await.unwrap().iter().map(|line| line.answers).sum::<u64>(), 3);
        // It is there as before.
        let fails = || async { Err::<Generated<BTreeMap<u32, String>>, _>(std::io::Error::other("asked")) };
        let answer = cache.get_or_generate(&asked, Control::new(), fails).await.unwrap();
        assert_eq!(**answer, numbered);
    }
}

/// A cache without a tier 1, and the connection that it asks.
fn linked(clock: &Arc<FakeClock>) -> (AiCache, Arc<ReferenceStore>) {
    let server = ReferenceServer::new(clock.clone());
    server.beat_with(clock);
    let store = Arc::new(server.connect());
    let builder = AiCache::builder(Namespace::new("test").unwrap()).store(store.clone());
    (builder.timer(clock.clone()).build().unwrap(), store)
}

#[tokio::test]
async fn a_look_at_all_answers_does_not_open_the_breaker_for_those_who_are_answered() {
    let clock = FakeClock::new();
    let (cache, store) = linked(&clock);
    let model = Model::default();
    for number in 0..20 {
        let asked = ask(&format!("question {number}"));
        cache.get_or_generate(&asked, Control::new(), model.says("an answer")).await.unwrap();
    }
    // None of the reads is answered: fewer are under way than the failures that open the breaker.
    let gates: Vec<_> = (0..20).map(|_| store.hold(Op::Get)).collect();
    let looked = cache.stored_answers();
    let times_out = async {
        gates[0].reached().await;
        assert_eq!(gates.iter().filter(|gate| gate.is_reached()).count(), 4);
        clock.advance(Duration::from_secs(1));
    };
    assert_eq!(tokio::join!(looked, times_out).0.unwrap_err().kind(), ErrorKind::Unavailable);
    drop(gates);
    assert_eq!(cache.cache().health().await.breaker, BreakerState::Closed);
}

#[tokio::test]
async fn how_long_an_answer_is_fresh_is_of_when_it_was_read() {
    let clock = FakeClock::new();
    let (cache, store) = linked(&clock);
    filled(&cache).await;
    // The server goes as soon as something is written.
    let written = cache.export(Parting { text: Vec::new(), store }).await.unwrap();
    assert_eq!(written.answers, 3);
}

struct Parting {
    text: Vec<u8>,
    store: Arc<ReferenceStore>,
}

impl Write for Parting {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.store.disconnect();
        self.text.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.text.flush()
    }
}
