//! Each environment has the numbers that it is documented to have, however it is named, and what is said wins over them.
#![cfg(feature = "memory")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;

#[cfg(feature = "ai")]
use cache_factory::AiSetup;
use cache_factory::durations::secs;
use cache_factory::{
    Cache, CacheConfig, CacheFactory, CacheSetup, Compression, Confirm, Environment, ErrorKind, Store,
    TokioTimer,
};
use cache_testkit::ReferenceServer;

fn store() -> Arc<dyn Store> {
    Arc::new(ReferenceServer::new(Arc::new(TokioTimer::new())).connect())
}

fn toml(text: &str) -> CacheSetup {
    CacheFactory::new().from_config(CacheConfig::from_toml(text).unwrap())
}

/// All ways to name an environment.
fn named(environment: Environment) -> [CacheSetup; 4] {
    let variables = [("CACHE_ENVIRONMENT", environment.as_str())];
    [
        CacheFactory::new().for_web_app().environment(environment),
        CacheFactory::new().for_testing().environment(environment),
        toml(&format!("environment = '{environment}'")),
        CacheFactory::from_variables(variables).unwrap(),
    ]
}

fn ttl(cache: &Cache) -> u64 {
    cache.settings().default_ttl.as_duration().as_secs()
}

#[tokio::test]
async fn each_has_its_numbers_however_it_is_named() {
    for (environment, seconds, entries, threshold, level, production) in [
        (Environment::Development, 300, 50, 5000, 1, false),
        (Environment::Staging, 1800, 100, 2000, 1, false),
        (Environment::Production, 3600, 500, 1000, 8, true),
        (Environment::HighPerformance, 7200, 1000, 500, 3, false),
    ] {
        for setup in named(environment) {
            let Ok(compression) = Compression::new(threshold, level) else {
                let error = setup.store(store()).await.unwrap_err();
                let named = format!("environment {environment}: ");
                assert!(
                    error.message().starts_with(&named) && error.message().contains("feature"),
                    "{error}"
                );
                continue;
            };
            let cache = setup.store(store()).await.unwrap();
            assert_eq!((ttl(&cache), cache.settings().production), (seconds, production), "{environment}");
            assert_eq!(cache.stats().memory_usage.max_entries, entries, "{environment}");
            assert_eq!(cache.settings().compression, compression, "{environment}");
        }
    }
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn staging_and_production_insist_on_their_redis_and_the_others_go_on() {
    for (environment, insists) in [
        (Environment::Development, false),
        (Environment::Staging, true),
        (Environment::Production, true),
        (Environment::HighPerformance, false),
    ] {
        let setup = CacheFactory::new().for_web_app().environment(environment);
        let setup = setup.redis_url("redis://127.0.0.1:1").compression_level(1);
        assert_eq!(setup.clone().await.is_err(), insists, "{environment}");
        assert!(setup.fail_on_connection_error(false).await.is_ok(), "what is said wins");
    }
}

#[tokio::test]
async fn in_memory_an_environment_says_nothing_of_what_only_a_store_can_use() {
    for environment in [Environment::Development, Environment::Staging, Environment::Production] {
        for setup in named(environment) {
            let cache = setup.memory_only().await.unwrap();
            assert_eq!(cache.health().await.store, None);
        }
    }
}

#[tokio::test]
async fn what_is_said_wins_over_the_environment() {
    let text = "environment = 'production'\ntype = 'memory'\ndefault_ttl = 7\nproduction = false";
    let cache = toml(text).await.unwrap();
    assert_eq!((ttl(&cache), cache.settings().production), (7, false));
    assert_eq!(cache.stats().memory_usage.max_entries, 500);
    cache.clear().await.unwrap();
    let cache = toml(text).environment(Environment::Development).default_ttl(secs(8)).await.unwrap();
    assert_eq!((ttl(&cache), cache.stats().memory_usage.max_entries), (8, 50));
}

#[tokio::test]
async fn in_production_many_entries_go_only_if_that_is_confirmed() {
    for setup in named(Environment::Production) {
        let cache = setup.namespace("shop").memory_only().await.unwrap();
        assert!(cache.clear().await.unwrap_err().is_validation());
        assert!(cache.invalidate_tag("t").await.unwrap_err().is_validation());
        cache.confirmed(&Confirm::namespace("shop")).unwrap().clear().await.unwrap();
    }
    let marked = CacheFactory::new().for_web_app().production(true).memory_only().await.unwrap();
    assert!(marked.clear().await.is_err());
}

#[test]
fn a_name_that_is_none_is_an_error_that_says_what_there_is() {
    let error = CacheConfig::from_toml("environment = 'prod'").unwrap_err();
    assert_eq!(
        error.message(),
        "environment is another text, `development`, `staging`, `production`, `high-performance` or `ai-production` is \
         expected"
    );
    let error = CacheFactory::from_variables([("CACHE_ENVIRONMENT", "prod")]).unwrap_err();
    assert!(error.message().starts_with("CACHE_ENVIRONMENT: environment is another text"), "{error}");
}

#[tokio::test]
async fn the_one_for_answers_of_models_is_for_no_other_cache() {
    for setup in named(Environment::AiProduction) {
        let error = setup.memory_only().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.message().starts_with("the environment ai-production is for AI caches"), "{error}");
    }
}

#[cfg(feature = "ai")]
#[tokio::test]
async fn the_one_for_answers_of_models_has_its_numbers() {
    use cache_factory::ai::Tenant;

    let config = CacheConfig::from_toml("environment = 'ai-production'").unwrap();
    let variables = [("CACHE_ENVIRONMENT", "ai-production")];
    let setups: [AiSetup; 4] = [
        CacheFactory::new().for_ai_app().environment(Environment::AiProduction),
        CacheFactory::new().ai_from_config(config),
        CacheFactory::ai_from_variables(variables).unwrap(),
        CacheFactory::ai_from_variables([variables[0], ("CACHE_PRESET", "ai_app")]).unwrap(),
    ];
    for setup in setups {
        let setup = setup.memory_only();
        let cache = setup.clone().await.unwrap();
        assert_eq!(cache.cache().stats().memory_usage.max_entries, 200);
        assert!(cache.cache().settings().production);
        let cache = cache.for_tenant(Tenant::shared());
        for (operation, seconds) in [
            ("summarize", 7200),
            ("sentiment", 14_400),
            ("qa", 1800),
            ("translate", 86_400),
            ("anything", 3600),
            ("key_points", 7200),
        ] {
            let explained = cache.explain("text", operation, &()).await.unwrap();
            assert_eq!(explained.ttl, secs(seconds), "{operation}");
        }
        let readable = async |length: usize| {
            cache.explain(&"x".repeat(length), "qa", &()).await.unwrap().text_is_readable
        };
        assert_eq!((readable(500).await, readable(501).await), (true, false));

        let said = setup.default_ttl(secs(9)).operation_ttl("qa", secs(10)).await.unwrap();
        let said = said.for_tenant(Tenant::shared());
        for (operation, seconds) in [("anything", 9), ("qa", 10), ("sentiment", 14_400)] {
            assert_eq!(said.explain("text", operation, &()).await.unwrap().ttl, secs(seconds), "{operation}");
        }
    }
    let cache = CacheFactory::new().for_ai_app().environment(Environment::Development).memory_only();
    let cache = cache.await.unwrap().for_tenant(Tenant::shared());
    assert_eq!(cache.explain("text", "anything", &()).await.unwrap().ttl, secs(300));
    assert_eq!(cache.explain("text", "sentiment", &()).await.unwrap().ttl, secs(86_400));
}
