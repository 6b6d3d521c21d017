//! The AI cache through the front door.
#![cfg(all(feature = "ai", feature = "memory"))]
#![allow(clippy::unwrap_used, clippy::panic, dead_code, reason = "a test fails by a panic")]

#[path = "../examples/ai_response/stand_in.rs"]
mod stand_in;

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::types::chat::CreateChatCompletionRequest;
use cache_factory::ai::{
    AiCache, AiRequest, CachedOpenAi, Chat, Control, Generated, PriceTable, Replay, Source, Tenant, Usage,
};
use cache_factory::durations::{hours, mins, secs};
use cache_factory::{CacheConfig, CacheFactory, Loaded};
use futures_util::StreamExt;
use serde_json::{Value, json};
use stand_in::StandIn;

async fn memory() -> AiCache {
    CacheFactory::new().for_ai_app().memory_only().await.unwrap()
}

#[tokio::test]
async fn the_preset_is_the_guides() {
    let cache = memory().await;
    let settings = cache.cache().settings();
    assert_eq!(settings.default_ttl.as_duration(), hours(1));
    assert_eq!((settings.load_timeout, settings.negative_window), (secs(120), secs(0)));
    assert_eq!(cache.cache().stats().memory_usage.max_entries, 100);
    let cache = cache.for_tenant(Tenant::shared());
    for (operation, ttl) in
        [("summarize", hours(2)), ("sentiment", hours(24)), ("qa", mins(30)), ("other", hours(1))]
    {
        assert_eq!(cache.explain("x", operation, &()).await.unwrap().ttl, ttl, "{operation}");
    }
    for (length, readable) in [(500, true), (501, false)] {
        let explained = cache.explain(&"x".repeat(length), "qa", &()).await.unwrap();
        assert_eq!((explained.text_length, explained.text_is_readable), (length, readable));
        assert_eq!(explained.key_length, explained.key.len());
    }
}

#[cfg(feature = "monitor")]
#[tokio::test]
async fn a_monitor_sees_reads_loads_and_how_long_keys_take() {
    let monitor = cache_factory::PerformanceMonitor::new();
    let setup = CacheFactory::new().for_ai_app().memory_only().performance_monitor(monitor.clone());
    let cache = setup.await.unwrap().for_tenant(Tenant::shared());
    cache.explain("a text", "qa", &()).await.unwrap();
    cache.get_cached_response::<Value>("a text", "qa", &()).await.unwrap();
    let app = &monitor.snapshot().caches[0];
    let keys = app.work.iter().find(|work| work.operation == "key");
    assert!(keys.is_some_and(|keys| keys.count >= 1), "{:?}", app.work);
    assert_eq!(app.stats.reads.misses, 1);
}

#[tokio::test]
async fn a_configuration_with_an_ai_table_is_for_ai_from_config_alone() {
    let text =
        "type = 'memory'\ndefault_ttl = 600\n[ai]\ntext_hash_threshold = 10\n[ai.operation_ttls]\nqa = 60";
    let config = || CacheConfig::from_toml(text).unwrap();
    let cache = CacheFactory::new().ai_from_config(config()).operation_ttl("own", mins(5)).await.unwrap();
    let cache = cache.for_tenant(Tenant::shared());
    for (operation, ttl) in [("qa", mins(1)), ("own", mins(5)), ("other", mins(10)), ("translate", hours(24))]
    {
        assert_eq!(cache.explain("x", operation, &()).await.unwrap().ttl, ttl, "{operation}");
    }
    assert!(!cache.explain("eleven long", "qa", &()).await.unwrap().text_is_readable);
    let error = CacheFactory::new().from_config(config()).await.unwrap_err();
    assert!(error.to_string().contains("use `ai_from_config`"), "{error}");
    let error =
        CacheConfig::from_toml("[ai]\ntext_hash_threshold = 100001\noperation_ttls = {qa = 0}").unwrap_err();
    for part in ["2 problems", "operation_ttls: qa: a TTL of 0ns", "text_hash_threshold is 100001 characters"]
    {
        assert!(error.message().contains(part), "{part} in {error}");
    }
    let wrong = CacheFactory::new().for_ai_app().memory_only().operation_ttl("qa", secs(0)).l1_cache_size(0);
    let error = wrong.await.unwrap_err();
    assert!(
        error.message().contains("operation `qa`") && error.message().contains("l1_cache_size is 0"),
        "{error}"
    );
}

async fn client(cache: &AiCache) -> (StandIn, CachedOpenAi<OpenAIConfig>) {
    let (model, address) = StandIn::start().await.unwrap();
    let config = OpenAIConfig::new().with_api_base(format!("http://{address}/v1")).with_api_key("none");
    let client = CachedOpenAi::new(Client::with_config(config), cache.clone(), Tenant::shared(), "chat");
    (model, client)
}

#[tokio::test]
async fn the_adapter_serves_chats_whole_streamed_and_in_the_clients_types() {
    let cache = memory().await;
    let (model, client) = client(&cache).await;
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], "tools": [{"type": "function", "function": {"name": "weather"}}]});
    let stream = client.chat_stream(&body, Replay::AtOnce).await.unwrap();
    assert_eq!(stream.source(), Source::Generated);
    let events: Vec<Value> = stream.map(|event| (*event.unwrap()).clone()).collect().await;
    let folded =
        <Chat as cache_factory::ai::Answer>::from_events(&events.iter().collect::<Vec<_>>()).unwrap();
    while cache.cache().stats().loads.in_flight > 0 {
        tokio::task::yield_now().await;
    }
    let whole = client.chat(&body).await.unwrap();
    assert_eq!(whole.0, folded.0);
    let message = &whole.0["choices"][0]["message"];
    assert_eq!(message["reasoning_content"], "Counting.", "what the client does not know of survives");
    assert_eq!(message["tool_calls"][0]["function"]["arguments"], "{\"city\":\"Paris\"}");
    let typed: CreateChatCompletionRequest = serde_json::from_value(body).unwrap();
    let answer = client.create(&typed).await.unwrap();
    assert_eq!(answer.usage.unwrap().completion_tokens, 12);
    assert_eq!(model.asked(), 1 + usize::from(model.asked() > 1), "a typed request may show its defaults");
}

#[tokio::test]
async fn the_adapter_embeds_in_the_callers_order_whatever_the_servers_is() {
    let cache = memory().await;
    let (model, client) = client(&cache).await;
    let lengths = async |texts: &[&str]| {
        let vectors = client.embed("e", None, texts).await.unwrap();
        vectors.iter().map(|vector| vector[0]).collect::<Vec<f32>>()
    };
    assert_eq!(lengths(&["a", "bb", "ccc"]).await, [1.0, 2.0, 3.0]);
    assert_eq!(lengths(&["dddd", "bb", "a", "bb"]).await, [4.0, 2.0, 1.0, 2.0]);
    assert_eq!(model.asked(), 2);
}

#[cfg(feature = "seal")]
#[tokio::test]
async fn sealed_answers_cannot_be_read_in_the_store_and_plain_ones_are_not_taken() {
    use std::sync::Arc;

    use cache_factory::{Keyring, Namespace, Store};
    use cache_testkit::{FakeClock, ReferenceServer};

    const CANARY: &str = "canary-51c2";
    let clock = FakeClock::new();
    let server = ReferenceServer::new(clock.clone());
    server.beat_with(&clock);
    let setup = || CacheFactory::new().for_ai_app().store(Arc::new(server.connect())).timer(clock.clone());
    let sealing = |id: u32| setup().sealing(Keyring::new(id, &[7; 32]));
    let stored = async || {
        let (store, namespace) = (server.connect(), Namespace::new("app").unwrap());
        let page = store.scan(&namespace, 0, 100).await.unwrap();
        let key = namespace.key(namespace.strip(page.keys[0].as_bytes()).unwrap()).unwrap();
        store.get(&key).await.unwrap().found.unwrap().bytes
    };
    let holds = |bytes: &[u8]| bytes.windows(CANARY.len()).any(|part| part == CANARY.as_bytes());

    let sealed = sealing(1).await.unwrap().for_tenant(Tenant::shared());
    let _ = sealed.cache_response("x", "qa", &(), &json!(CANARY)).await.unwrap();
    assert!(!holds(&stored().await));
    let other = sealing(1).await.unwrap().for_tenant(Tenant::shared());
    assert_eq!(**other.get_cached_response::<Value>("x", "qa", &()).await.unwrap().unwrap(), json!(CANARY));
    let stranger = sealing(2).await.unwrap().for_tenant(Tenant::shared());
    assert!(stranger.get_cached_response::<Value>("x", "qa", &()).await.unwrap().is_none());

    let plain = setup().await.unwrap().for_tenant(Tenant::shared());
    let _ = plain.cache_response("x", "qa", &(), &json!(CANARY)).await.unwrap();
    assert!(holds(&stored().await));
    let late = sealing(1).await.unwrap().for_tenant(Tenant::shared());
    assert!(late.get_cached_response::<Value>("x", "qa", &()).await.unwrap().is_none());

    let useless = CacheFactory::new().for_web_app().memory_only().sealing(Keyring::new(1, &[7; 32])).await;
    assert!(useless.unwrap_err().message().contains("sealing has no effect"));
}

#[cfg(feature = "monitor")]
#[tokio::test]
async fn a_monitor_shows_what_was_saved_and_keeps_no_cache() {
    let monitor = cache_factory::PerformanceMonitor::new();
    let prices = || PriceTable::new("USD").model("m-1", 2.0, 10.0);
    let setup = CacheFactory::new().for_ai_app().memory_only().ai(move |ai| ai.prices(prices()));
    let cache = setup.performance_monitor(monitor.clone()).await.unwrap();
    for tenant in ["acme", "other"] {
        let tenant = Tenant::new(tenant).unwrap();
        let request = AiRequest::new(tenant, "qa").model("m-1").message("user", "Why?");
        for _ in 0..3 {
            let generator = || async {
                let usage = Usage::new(1_000_000, 100_000);
                Loaded::Ok(Generated::new("So.".to_owned()).usage(usage))
            };
            cache.get_or_generate(&request, Control::new(), generator).await.unwrap();
        }
    }
    let sections = monitor.sections();
    let content = &sections[0].content;
    assert_eq!((sections[0].kind.as_str(), sections.len()), ("ai", 1));
    assert_eq!(
        (&content["total"]["calls_saved"], &content["total"]["money_saved"]),
        (&4.into(), &12.0.into())
    );
    let [line] = &content["operations"].as_array().unwrap()[..] else {
        panic!("tenants are not told apart: {content}")
    };
    assert_eq!(
        (&line["operation"], &line["calls_saved"], &line["calls_made"]),
        (&"qa".into(), &4.into(), &2.into())
    );
    assert!(!content.to_string().contains("acme"), "{content}");
    drop(cache);
    assert_eq!(monitor.sections(), []);
}
