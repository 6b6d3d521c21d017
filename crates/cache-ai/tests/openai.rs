//! The client `async-openai`, cached: what is about the client and not about answers.
#![cfg(feature = "async-openai")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod common;

use async_openai::Client;
use async_openai::config::{AzureConfig, Config, OpenAIConfig};
use cache_ai::{AiCache, AiSettings, CachedOpenAi, Control, Tenant};
use cache_testkit::FakeClock;
use common::{Model, private};
use serde_json::json;

fn cached<C: Config + Clone + 'static>(config: C, cache: &AiCache) -> CachedOpenAi<C> {
    CachedOpenAi::new(Client::with_config(config), cache.clone(), Tenant::shared(), "qa")
}

#[tokio::test]
async fn another_address_deployment_or_version_is_another_provider() {
    let cache = private(&FakeClock::new(), AiSettings::new());
    let body = json!({"model": "m", "messages": []});
    let at = |base: &str| cached(OpenAIConfig::new().with_api_base(base), &cache).request(&body);
    let azure = |deployment: &str, version: &str| {
        let config = AzureConfig::new().with_api_base("http://a").with_deployment_id(deployment);
        cached(config.with_api_version(version), &cache).request(&body)
    };
    let all =
        [at("http://a/v1"), at("http://b/v1"), azure("one", "1"), azure("other", "1"), azure("one", "2")];
    for (calls, requests) in [(5, &all), (0, &all)] {
        let model = Model::default();
        for request in requests {
            cache.get_or_generate(request, Control::new(), model.says("x")).await.unwrap();
        }
        assert_eq!(model.calls(), calls);
    }
    let key = |key: &str| cached(OpenAIConfig::new().with_api_base("http://a/v1").with_api_key(key), &cache);
    cache
        .get_or_generate(&key("k").request(&body), Control::only_if_cached(), Model::default().says("?"))
        .await
        .unwrap();
}

#[tokio::test]
async fn what_headers_say_is_another_provider_and_credentials_say_nothing() {
    let cache = private(&FakeClock::new(), AiSettings::new());
    let body = json!({"model": "m", "messages": []});
    let plain = || OpenAIConfig::new().with_api_base("http://a/v1").with_api_key("k");
    let with = |name: &'static str, value: &str| plain().with_header(name, value).unwrap();
    let apart = [
        plain(),
        plain().with_org_id("one"),
        plain().with_org_id("other"),
        plain().with_project_id("one"),
        with("x-portkey-provider", "one"),
        with("x-portkey-provider", "other"),
        with("x-one", "a").with_header("x-other", "b").unwrap(),
        with("x-one", "b").with_header("x-other", "a").unwrap(),
        with("x-one", "a"),
    ];
    let model = Model::default();
    let get = async |config: &OpenAIConfig| {
        let request = cached(config.clone(), &cache).request(&body);
        cache.get_or_generate(&request, Control::new(), model.says("x")).await.unwrap().meta().cache_hit
    };
    for config in &apart {
        assert!(!get(config).await, "{:?}", config.headers());
    }
    for config in &apart {
        assert!(get(config).await, "{:?}", config.headers());
    }
    let same = ["authorization", "proxy-authorization", "api-key", "x-api-key", "x-goog-api-key", "cookie"];
    for name in same.into_iter().chain(["x-request-id", "user-agent"]) {
        assert!(get(&with(name, "another")).await, "{name}");
    }
    let turned = with("x-other", "b").with_header("x-one", "a").unwrap();
    assert!(get(&turned).await, "their order says nothing");
}

#[test]
fn nothing_of_a_credential_is_shown() {
    let cache = private(&FakeClock::new(), AiSettings::new().secret("canary canary canary"));
    let config = OpenAIConfig::new().with_api_key("canary").with_header("x-token", "canary").unwrap();
    let shown = format!("{:?}", cached(config, &cache));
    assert!(!shown.contains("canary") && shown.contains("CachedOpenAi"), "{shown}");
}
