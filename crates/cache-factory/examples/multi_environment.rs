//! One program in several environments, each with its defaults, and what wins over them: `cargo run --example multi_environment`.
//!
//! Ends with an error if a step is not as it should be.

mod places;

use cache_factory::durations::{mins, secs};
use cache_factory::{CacheConfig, CacheFactory, Confirm, Environment};
use cache_testkit::redis::{Options, RedisServer};
use places::{Failure, check};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let server = RedisServer::launch(&Options::new())?;
    println!("On Redis {} ({:?})", server.version(), server.way());
    let places = [Environment::Development, Environment::Staging, Environment::HighPerformance];
    for environment in places {
        let setup = CacheFactory::new().for_web_app().environment(environment).redis_url(server.url());
        let cache =
            setup.namespace(environment.as_str()).connect_timeout(secs(5)).store_timeout(secs(2)).await?;
        println!("  {}", line(&cache, environment));
        cache.set("greeting", "hello", ()).await?;
        check(cache.exists("greeting").await?, "what was stored is not there")?;
    }

    println!("Variables win over the file, the file over the environment");
    let folder = std::env::temp_dir().join(format!("multi-environment-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("cache.toml");
    std::fs::write(
        &file,
        "environment = 'staging'\ntype = 'memory'\ndefault_ttl = 900\nl1_cache_size = 70\n",
    )?;
    let path = file.to_str().ok_or("the path is no text")?;
    let cache =
        CacheFactory::from_variables([("CACHE_CONFIG", path), ("CACHE_L1_CACHE_SIZE", "60")])?.await?;
    std::fs::remove_dir_all(&folder)?;
    println!("  {}", line(&cache, Environment::Staging));
    check(cache.settings().default_ttl.as_duration() == mins(15), "the file was not heard")?;
    check(cache.stats().memory_usage.max_entries == 60, "the variable was not heard")?;

    println!("In production nothing is cleared without an express word");
    let config = CacheConfig::from_toml("environment = 'production'\ntype = 'memory'\nnamespace = 'shop'")?;
    let cache = CacheFactory::new().from_config(config).await?;
    println!("  {}", line(&cache, Environment::Production));
    let error = cache.clear().await.err().ok_or("a cache in production was cleared")?;
    println!("  {error}");
    cache.confirmed(&Confirm::namespace("shop"))?.clear().await?;
    println!("  with it, it is");

    println!("Where Redis has to be there, its absence is an error");
    let absent =
        CacheFactory::new().for_web_app().environment(Environment::Staging).redis_url("redis://127.0.0.1:1");
    let error = absent.await.err().ok_or("a Redis that is not there was found")?;
    println!("  {error}");
    check(error.is_infrastructure(), "the error is of another kind")
}

fn line(cache: &cache_factory::Cache, environment: Environment) -> String {
    let (settings, stats) = (cache.settings(), cache.stats());
    format!(
        "{:<17} TTL {:>4} min, {:>4} entries in tier 1, {}",
        environment.as_str(),
        settings.default_ttl.as_duration().as_secs() / 60,
        stats.memory_usage.max_entries,
        stats.store.unwrap_or("no store"),
    )
}
