//! The AI cache of several processes that share a real server.
#![cfg(all(feature = "ai", feature = "memory", feature = "redis"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod common;

use std::time::Duration;

use cache_factory::CacheFactory;
use cache_factory::ai::{
    AiCache, AiRequest, AiSettings, Answered, Chat, Control, Generated, Loaded, Plain, Replay, Source,
    Tenant, Which,
};
use cache_factory::durations::secs;
use cache_testkit::redis::{Options, RedisServer, fresh_namespace};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::oneshot;

async fn process(server: &RedisServer, namespace: &str, settings: fn(AiSettings) -> AiSettings) -> AiCache {
    let setup = CacheFactory::new().for_ai_app().redis_url(server.url()).namespace(namespace).ai(settings);
    setup.connect_timeout(secs(5)).fail_on_connection_error(true).await.unwrap()
}

fn namespace(test: &str) -> String {
    fresh_namespace(test).unwrap().as_str().to_owned()
}

fn ask(text: &str) -> AiRequest {
    AiRequest::new(Tenant::new("acme").unwrap(), "qa").model("m-1").message("user", text)
}

async fn get(cache: &AiCache, request: &AiRequest, says: &str) -> Answered<Plain<String>> {
    let says = says.to_owned();
    let generator = || async { Loaded::Ok(Generated::new(says)) };
    cache.get_or_generate(request, Control::new(), generator).await.unwrap()
}

/// Waits until what was generated is in the store.
async fn counted(cache: &AiCache, operation: &str, count: u64) {
    let which = Which::Operation(operation.into());
    let began = std::time::Instant::now();
    while cache.count(&which).await.unwrap() != count {
        assert!(began.elapsed() < secs(10), "there are not {count}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn requests_of_one_name_are_told_apart_between_processes() {
    let (server, namespace) = (common::shared(), namespace("ai-one-name"));
    let one_name = |ai: AiSettings| ai.name_bits(|_| [7; 16]).text_hash_threshold(0);
    let (a, b) = (process(server, &namespace, one_name).await, process(server, &namespace, one_name).await);
    assert_eq!(**get(&a, &ask("one"), "of the one").await, "of the one");
    counted(&a, "qa", 1).await;
    let other = get(&b, &ask("other"), "of the other").await;
    assert_eq!((&***other, other.meta().source), ("of the other", Source::Generated));
    let one = get(&b, &ask("one"), "?").await;
    assert_eq!((&***one, one.meta().source), ("of the one", Source::Cache));
    assert_eq!(b.stats().operations["qa"].verified_away, 1);
}

#[tokio::test]
async fn a_stream_of_one_process_is_whole_in_another_and_no_text_is_a_chat() {
    let (server, namespace) = (common::shared(), namespace("ai-stream"));
    let (a, b) = (process(server, &namespace, |ai| ai).await, process(server, &namespace, |ai| ai).await);
    let delta = |delta: Value, finish: Option<&str>| json!({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
    let events = [
        delta(json!({"function_call": {"name": "weather", "arguments": "{\"city\":"}}), None),
        delta(json!({"function_call": {"arguments": "\"Paris\"}"}}), None),
        delta(json!({}), Some("function_call")),
    ];
    let sent = events.clone();
    let generator = || async { Ok(stream::iter(sent.map(Ok::<_, std::io::Error>))) };
    let live =
        a.stream::<Chat, _, _, _, _>(&ask("x"), Control::new(), Replay::AtOnce, generator).await.unwrap();
    assert_eq!(live.count().await, 3);
    counted(&a, "qa", 1).await;
    let unasked = || async { Err::<Chat, _>(std::io::Error::other("asked")) };
    let whole = b.complete(&ask("x"), Control::new(), unasked).await.unwrap();
    let call = &whole.0["choices"][0]["message"]["function_call"];
    assert_eq!(call, &json!({"name": "weather", "arguments": "{\"city\":\"Paris\"}"}));

    get(&a, &ask("y"), "a text").await;
    counted(&a, "qa", 2).await;
    let chat = json!({"choices": [{"message": {"content": "a chat"}, "finish_reason": "stop"}]});
    let own = || async { Loaded::Ok(Chat(chat)) };
    let answer = b.complete(&ask("y"), Control::new(), own).await.unwrap();
    assert_eq!((answer.text(), answer.meta().source), ("a chat", Source::Generated));
}

#[tokio::test]
async fn what_another_process_invalidates_while_it_is_generated_is_not_kept() {
    let (server, namespace) = (common::shared(), namespace("ai-void"));
    let (a, b) = (process(server, &namespace, |ai| ai).await, process(server, &namespace, |ai| ai).await);
    let (started, has_started) = oneshot::channel();
    let (finish, finished) = oneshot::channel::<()>();
    let own = a.clone();
    let running = tokio::spawn(async move {
        let generator = || async move {
            started.send(()).unwrap();
            finished.await.unwrap();
            Loaded::Ok(Generated::new("old".to_owned()))
        };
        own.get_or_generate(&ask("x"), Control::new(), generator).await.unwrap()
    });
    has_started.await.unwrap();
    b.invalidate(&Which::Model("m-1".into())).await.unwrap();
    finish.send(()).unwrap();
    assert_eq!(**running.await.unwrap(), "old", "who asked before gets what was generated");
    for cache in [&b, &a] {
        assert_eq!(**get(cache, &ask("x"), "new").await, "new");
        counted(cache, "qa", 1).await;
    }
}

#[tokio::test]
async fn nothing_of_a_request_is_on_the_server_if_that_is_wanted() {
    const CANARY: &str = "canary-7d20";
    const ANSWER: &str = "answer-3f81";
    let server = common::own(&Options::new());
    let hidden = |ai: AiSettings| ai.store_no_request_text().secret("0123456789abcdef");
    let cache = process(&server, &namespace("ai-canary"), hidden).await;
    let request = ask(CANARY).system(CANARY).option("user", CANARY).tool(json!({"name": CANARY}));
    get(&cache, &request, ANSWER).await;
    let guide = cache.for_tenant(Tenant::shared());
    let _ = guide.cache_response(CANARY, "qa", &json!({"style": CANARY}), &json!(ANSWER)).await.unwrap();
    counted(&cache, "qa", 2).await;
    let keys = server.command(&["KEYS", "*"]).unwrap();
    let mut answers = 0;
    for key in keys.items() {
        // What holds no bytes of ours is said to be of the wrong kind.
        let bytes =
            server.command(&["GET".to_owned(), key.text()]).map(|bytes| bytes.text()).unwrap_or_default();
        assert!(!key.text().contains(CANARY) && !bytes.contains(CANARY), "{}", key.text());
        answers += usize::from(bytes.contains(ANSWER));
    }
    assert_eq!(answers, 2, "what is there can be seen");
}

#[tokio::test]
async fn without_its_server_each_process_answers_by_itself_and_in_bounded_time() {
    let server = common::own(&Options::new());
    let cache = process(&server, &namespace("ai-down"), |ai| ai).await;
    get(&cache, &ask("x"), "from before").await;
    counted(&cache, "qa", 1).await;
    server.kill().unwrap();
    let all = async {
        assert_eq!(**get(&cache, &ask("new"), "generated").await, "generated");
        let again = get(&cache, &ask("new"), "?").await;
        assert_eq!((&***again, again.meta().source), ("generated", Source::Cache));
        let other = AiRequest::new(Tenant::new("other").unwrap(), "qa").model("m-1").message("user", "new");
        assert_eq!(**get(&cache, &other, "of the other").await, "of the other");
        let error = cache.invalidate(&Which::Operation("qa".into())).await.unwrap_err();
        assert!(error.is_queued(), "{error}");
        for text in ["x", "new"] {
            assert_eq!(**get(&cache, &ask(text), "newer").await, "newer", "nothing from before");
        }
    };
    tokio::time::timeout(Duration::from_secs(30), all).await.expect("the time is bounded");
}
