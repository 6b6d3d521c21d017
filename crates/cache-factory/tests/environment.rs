//! What variables say, and what wins over what.
#![cfg(feature = "memory")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::PathBuf;

use cache_factory::durations::secs;
use cache_factory::{Cache, CacheFactory, CacheSetup, ErrorKind};

/// A configuration file that is gone when the test is over.
struct Config(PathBuf);

impl Config {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("cache-factory-{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

fn from<const N: usize>(variables: [(&str, &str); N]) -> CacheSetup {
    CacheFactory::from_variables(variables).unwrap()
}

fn refused<const N: usize>(variables: [(&str, &str); N]) -> String {
    let error = CacheFactory::from_variables(variables).unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Configuration, Some("from_env")));
    error.message().to_owned()
}

fn ttl(cache: &Cache) -> u64 {
    cache.settings().default_ttl.as_duration().as_secs()
}

#[tokio::test]
async fn variables_win_over_the_file_the_file_over_the_preset_and_code_over_all() {
    let file =
        Config::new("order.toml", "type = 'memory'\ndefault_ttl = 20\nl1_cache_size = 21\nstale_for = 22");
    let base = [("CACHE_PRESET", "web_app"), ("CACHE_CONFIG", file.path())];
    let cache = from([base[0], base[1], ("CACHE_DEFAULT_TTL", "30"), ("CACHE_L1_CACHE_SIZE", "31")])
        .l1_cache_size(41)
        .await
        .unwrap();
    assert_eq!(cache.stats().memory_usage.max_entries, 41, "code");
    assert_eq!(ttl(&cache), 30, "variable");
    assert_eq!(cache.settings().stale_for, secs(22), "file");

    let cache = from([("CACHE_PRESET", "web_app"), ("CACHE_TYPE", "memory")]).await.unwrap();
    assert_eq!((ttl(&cache), cache.stats().memory_usage.max_entries), (1800, 200), "preset");
    let cache = from([("CACHE_PRESET", "testing"), ("CACHE_TYPE", "memory")]).await.unwrap();
    assert_eq!((ttl(&cache), cache.stats().memory_usage.max_entries), (60, 50), "preset");
    let cache = from([]).await.unwrap();
    assert_eq!((ttl(&cache), cache.stats().memory_usage.max_entries), (3600, 100), "nothing said");
    assert_eq!(cache.health().await.store, None);
}

#[tokio::test]
async fn a_preset_can_be_overruled_as_to_where_the_cache_keeps_what_it_holds() {
    for setup in [
        from([("CACHE_PRESET", "web_app"), ("CACHE_TYPE", "memory")]),
        from([("CACHE_PRESET", "web_app"), ("CACHE_REDIS_URL", "redis://127.0.0.1:1")]).memory_only(),
    ] {
        assert_eq!(setup.await.unwrap().health().await.store, None);
    }
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn a_variable_can_overrule_the_file_as_to_where_the_cache_keeps_what_it_holds() {
    let store = async |setup: CacheSetup| setup.await.unwrap().health().await.store;
    let memory = Config::new("memory.toml", "type = 'memory'");
    let redis = Config::new("redis.json", r#"{"claims": true, "redis": {"url": "redis://127.0.0.1:1"}}"#);
    let file = |config: &Config| ("CACHE_CONFIG", config.path().to_owned());
    let with = |config, name, value: &str| {
        CacheFactory::from_variables([file(config), (name, value.to_owned())]).unwrap()
    };
    assert_eq!(store(with(&memory, "CACHE_REDIS_URL", "redis://127.0.0.1:1")).await, Some("redis"));
    assert_eq!(store(with(&memory, "CACHE_TYPE", "redis").connect_timeout(secs(1))).await, Some("redis"));
    assert_eq!(store(with(&redis, "CACHE_TYPE", "memory")).await, None);
    assert_eq!(store(with(&redis, "CACHE_DEFAULT_TTL", "5")).await, Some("redis"));
    // Only details of Redis: that does not say that there is one.
    let error = with(&memory, "CACHE_REDIS_CONNECT_TIMEOUT", "1").await.unwrap_err();
    assert!(error.to_string().starts_with("from_env: connect_timeout has no effect"), "{error}");
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn the_password_is_one_decision() {
    let file = Config::new("password.toml", "redis.url = 'redis://:a@127.0.0.1:1'");
    let other = Config::new(
        "password-file.toml",
        "redis.url = 'redis://127.0.0.1:1'\nredis.password_file = '/nowhere'",
    );
    for config in [&file, &other] {
        from([("CACHE_CONFIG", config.path()), ("CACHE_REDIS_PASSWORD", "b")]).await.unwrap();
        from([("CACHE_CONFIG", config.path()), ("CACHE_REDIS_URL", "redis://:b@127.0.0.1:1")]).await.unwrap();
        from([("CACHE_CONFIG", config.path())]).redis_password("c").await.unwrap();
    }
    let twice = [("CACHE_REDIS_PASSWORD", "b"), ("CACHE_REDIS_PASSWORD_FILE", "c")];
    assert!(refused(twice).starts_with("the password of Redis is given more than once"));
}

#[tokio::test]
async fn variables_of_others_and_of_the_test_kit_are_none_of_our_business() {
    let cache = from([
        ("PATH", "/bin"),
        ("CACHED", "1"),
        ("XCACHE_DEFAULT_TTL", "nonsense"),
        ("CACHE_TEST_REDIS_URL", "redis://127.0.0.1:1"),
        ("CACHE_TEST_", ""),
    ]);
    assert_eq!(ttl(&cache.await.unwrap()), 3600);
}

#[test]
fn an_unknown_variable_is_an_error_and_says_what_there_is() {
    let message = refused([("CACHE_L1_SIZE", "5")]);
    assert!(
        message.starts_with("CACHE_L1_SIZE is unknown, there are: CACHE_CONFIG, CACHE_PRESET, CACHE_TYPE,")
    );
    assert!(message.contains("CACHE_L1_CACHE_SIZE") && message.contains("CACHE_REDIS_PASSWORD_FILE"));
    for name in ["CACHE_", "CACHE_REDIS", "CACHE_default_ttl", "CACHE_REDIS.URL", "CACHE_TESTS"] {
        assert!(refused([(name, "5")]).starts_with(&format!("{name} is unknown")), "{name}");
    }
}

#[test]
fn a_bad_value_is_an_error_with_the_name_of_its_variable() {
    for (name, value, problem) in [
        ("CACHE_DEFAULT_TTL", "half an hour", "default_ttl is a text, seconds from 0.001"),
        ("CACHE_DEFAULT_TTL", "", "default_ttl is an empty text"),
        ("CACHE_DEFAULT_TTL", "0", "default_ttl: a TTL of 0ns was given"),
        ("CACHE_L1_CACHE_SIZE", "1.5", "l1_cache_size is a text, a whole number"),
        ("CACHE_L1_CACHE_SIZE", "-1", "l1_cache_size is -1"),
        ("CACHE_WAIT_FOR_WRITE", "yes", "wait_for_write is a text, true or false is expected"),
        ("CACHE_TYPE", "disk", "type is another text"),
        ("CACHE_NAMESPACE", "", "the namespace is 0 bytes long"),
        ("CACHE_REDIS_CONNECT_TIMEOUT", "61", "connect_timeout is 61s"),
        ("CACHE_REDIS_URL", "", "redis.url is an empty text"),
    ] {
        let message = refused([(name, value)]);
        assert!(message.starts_with(&format!("{name}: {problem}")), "{message}");
    }
    assert!(
        refused([("CACHE_PRESET", "web")])
            .starts_with("CACHE_PRESET names no preset, there are: web_app, testing")
    );
    assert_eq!(refused([("CACHE_CONFIG", "/nowhere.toml")]), "/nowhere.toml: there is no such file");
}

#[tokio::test]
async fn fractions_and_words_are_understood() {
    let cache = from([
        ("CACHE_DEFAULT_TTL", "0.5"),
        ("CACHE_STALE_FOR", "1e1"),
        ("CACHE_NAMESPACE", "42"),
        ("CACHE_L1_CACHE_SIZE", "7"),
    ]);
    let cache = cache.await.unwrap();
    assert_eq!(cache.settings().default_ttl.as_millis(), 500);
    assert_eq!(cache.settings().stale_for, secs(10));
    assert_eq!((cache.namespace().as_str(), cache.stats().memory_usage.max_entries), ("42", 7));
}

#[test]
fn all_that_is_wrong_with_variables_and_file_is_said_at_once() {
    let file = Config::new("wrong.toml", "ttl = 1\nl1_cache_size = -1");
    let message = refused([
        ("CACHE_CONFIG", file.path()),
        ("CACHE_PRESET", "none"),
        ("CACHE_DEFAULT_TTL", "0"),
        ("CACHE_STALE_FOR", "x"),
        ("CACHE_WHATEVER", "x"),
    ]);
    assert!(message.starts_with("6 problems: "), "{message}");
    assert!(message.contains(&format!("{}: ttl is unknown", file.path())), "{message}");
}

#[cfg(unix)]
#[test]
fn a_value_that_is_no_text_is_an_error() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    let value = OsString::from_vec(vec![0xff, b'x']);
    let error = CacheFactory::from_variables([("CACHE_NAMESPACE", value)]).unwrap_err();
    assert_eq!(error.message(), "CACHE_NAMESPACE is not UTF-8");
}

#[test]
fn the_process_has_an_environment_that_can_be_read() {
    // What is set where the tests run is not ours to know: an answer is enough.
    match CacheFactory::from_env() {
        Ok(setup) => drop(setup),
        Err(error) => assert_eq!(error.operation(), Some("from_env")),
    }
}
