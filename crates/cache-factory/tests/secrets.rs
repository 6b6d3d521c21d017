//! A password shows nowhere, wherever it was given.
#![cfg(all(feature = "memory", feature = "redis"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "common/log.rs"]
mod log;

use std::error::Error as _;
use std::fmt::Write as _;

use cache_factory::{CacheConfig, CacheFactory, CacheSetup, Error, RedisUrl, Secret};
use log::Log;

const CANARY: &str = "c4n4ry";

/// Nobody listens there.
const NOWHERE: &str = "127.0.0.1:1";

fn url() -> String {
    format!("redis://:{CANARY}@{NOWHERE}/0")
}

/// All that can be seen of an error.
fn shown(error: &Error) -> String {
    let mut shown = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(error) = source {
        write!(shown, " {error} {error:?}").unwrap();
        source = error.source();
    }
    shown
}

#[track_caller]
fn hidden(shown: &str) {
    assert!(!shown.contains(CANARY), "{shown}");
}

/// Setups with the password in every place where it can be.
fn setups() -> Vec<CacheSetup> {
    let web = || CacheFactory::new().for_web_app();
    let toml = |text: &str| CacheFactory::new().from_config(CacheConfig::from_toml(text).unwrap());
    vec![
        web().redis_url(url()),
        web().redis_url(format!("redis://{NOWHERE}")).redis_password(CANARY),
        toml(&format!("redis.url = '{}'", url())),
        toml(&format!("[redis]\nurl = 'redis://ann@{NOWHERE}'\npassword = '{CANARY}'")),
        CacheFactory::from_variables([("CACHE_REDIS_URL", url())]).unwrap(),
        CacheFactory::from_variables([
            ("CACHE_REDIS_URL", format!("redis://{NOWHERE}")),
            ("CACHE_REDIS_PASSWORD", CANARY.to_owned()),
        ])
        .unwrap(),
    ]
}

#[tokio::test]
async fn setups_caches_health_and_log_show_none() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    for setup in setups() {
        hidden(&format!("{setup:?} {setup:#?}"));
        let cache = setup.clone().await.unwrap();
        hidden(&format!("{cache:?} {cache:#?}"));
        hidden(&serde_json::to_string(&cache.health().await).unwrap());
        hidden(&serde_json::to_string(&cache.stats()).unwrap());
        hidden(&shown(&cache.clear().await.unwrap_err()));
        hidden(&shown(&setup.clone().fail_on_connection_error(true).await.unwrap_err()));
        hidden(&shown(&setup.l1_cache_size(usize::MAX).await.unwrap_err()));
    }
    hidden(&log.lines().join("\n"));
}

#[tokio::test]
async fn going_on_without_redis_is_one_warning_that_says_where_it_was_looked_for() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    CacheFactory::new().for_web_app().redis_url(url()).await.unwrap();
    let lines = log.lines();
    let ours: Vec<&String> = lines.iter().filter(|line| line.contains("cache_factory")).collect();
    assert_eq!(ours.len(), 1, "{lines:?}");
    assert!(ours[0].starts_with("WARN cache_factory"), "{ours:?}");
    assert!(ours[0].contains("url=redis://***@127.0.0.1:1/0") && ours[0].contains("error="), "{ours:?}");
}

#[test]
fn configurations_show_none() {
    let mut config = CacheConfig::default();
    let redis = config.redis.get_or_insert_default();
    redis.url = Some(url().into());
    redis.password = Some(CANARY.into());
    hidden(&format!("{config:?} {config:#?}"));
    hidden(&serde_json::to_string(&config).unwrap());
    hidden(&format!("{:?} {:?}", Secret::new(CANARY), RedisUrl::new(url())));
    let written = serde_json::to_string(&config).unwrap();
    let error = CacheConfig::from_json(&written).unwrap_err();
    assert!(error.message().starts_with("2 problems: redis.url is an address with `***`"), "{error}");
}

#[test]
fn errors_of_reading_show_none() {
    for text in [
        format!("redis.password = '{CANARY}"),
        format!("redis.password = {CANARY}"),
        format!("redis.password = \"{CANARY}\\q\""),
        format!("redis.password = '{CANARY}' {CANARY}"),
        format!("redis.password = '{CANARY}'\nredis.password = '{CANARY}'"),
        format!("[redis]\npassword = '''{CANARY}"),
        format!("redis = '{CANARY}'"),
        format!("redis.url = ['{CANARY}']"),
        format!("redis.user = '{CANARY}'"),
        format!("redis.connect_timeout = '{CANARY}'"),
        format!("redis.fail_on_connection_error = '{CANARY}'"),
        format!("type = '{CANARY}'"),
        format!("format = '{CANARY}'"),
        format!("default_ttl = '{CANARY}'"),
        format!("claims = '{CANARY}'"),
        format!("namespace = '{}'", CANARY.repeat(100)),
        format!("redis.url = '{}'\nredis.password = '{CANARY}'", url()),
    ] {
        hidden(&shown(&CacheConfig::from_toml(&text).unwrap_err()));
    }
    for text in [
        format!("{{\"redis\": {{\"password\": \"{CANARY}"),
        format!("{{\"redis\": {{\"password\": {CANARY}}}}}"),
        format!("{{\"redis\": {{\"password\": \"{CANARY}\\q\"}}}}"),
        format!("{{\"redis\": \"{CANARY}\"}}"),
        format!("\"{CANARY}\""),
    ] {
        hidden(&shown(&CacheConfig::from_json(&text).unwrap_err()));
    }
    for (name, value) in [
        ("CACHE_PRESET", CANARY.to_owned()),
        ("CACHE_DEFAULT_TTL", CANARY.to_owned()),
        ("CACHE_REDIS_PASS", CANARY.to_owned()),
        ("CACHE_CLAIMS", CANARY.to_owned()),
    ] {
        hidden(&shown(&CacheFactory::from_variables([(name, value)]).unwrap_err()));
    }
}

#[tokio::test]
async fn errors_of_bad_addresses_show_none() {
    for url in [
        CANARY.to_owned(),
        format!("http://:{CANARY}@h"),
        format!("redis://:{CANARY}@h/first"),
        format!("redis://:{CANARY}@h:99999"),
        format!("redis://:a/{CANARY}@h"),
        format!("redis://:a?{CANARY}@h"),
        format!("redis://:a#{CANARY}@h"),
        format!("redis://h:{CANARY}"),
        format!("redis+unix:///s?db=x&pass={CANARY}"),
    ] {
        let setup = CacheFactory::new().for_web_app().redis_url(url);
        hidden(&format!("{setup:?}"));
        hidden(&shown(&setup.await.unwrap_err()));
    }
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn a_key_where_the_path_to_it_is_wanted_is_refused_without_being_shown() {
    let key = format!("-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----\n");
    let address = ("CACHE_REDIS_URL", format!("rediss://{NOWHERE}"));
    let certificate = ("CACHE_REDIS_CERT_FILE", "cert.pem".to_owned());
    for name in ["CACHE_REDIS_KEY_FILE", "CACHE_REDIS_CA_FILE", "CACHE_REDIS_PASSWORD_FILE"] {
        let given = [address.clone(), certificate.clone(), (name, key.clone())];
        let error = CacheFactory::from_variables(given).unwrap_err();
        assert!(error.message().contains("what stands in a file, not the path to it"), "{error}");
        hidden(&shown(&error));
    }
    let toml = format!("[redis]\nurl = 'rediss://{NOWHERE}'\ncert_file = 'a'\nkey_file = \'\'\'{key}\'\'\'");
    hidden(&shown(&CacheConfig::from_toml(&toml).unwrap_err()));
    let setup = CacheFactory::new().for_web_app().redis_url(format!("rediss://{NOWHERE}"));
    hidden(&shown(&setup.redis_client_certificate("cert.pem", key).await.unwrap_err()));
}
