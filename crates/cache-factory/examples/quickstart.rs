//! A session, an API response, an invalidation: `cargo run --example quickstart`.

use cache_factory::durations::{hours, mins};
use cache_factory::{CacheFactory, Error, LoadOptions, Loaded, Tier};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Session {
    user: String,
    role: String,
}

#[derive(Serialize, Deserialize)]
struct Weather {
    city: String,
    celsius: f64,
}

/// Stands for a slow call of somebody else's service.
async fn fetch_weather(city: &'static str) -> Loaded<Weather> {
    println!("  … asking the weather service about {city}");
    Ok(Weather { city: city.to_owned(), celsius: 21.5 })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    // In this process alone, so that it runs wherever Rust does. Without `memory_only` it is shared through Redis.
    let cache = CacheFactory::new().for_web_app().memory_only().await?;

    println!("A session");
    let session = Session { user: "Ann".to_owned(), role: "admin".to_owned() };
    cache.set("session:42", &session, mins(30)).await?;
    if let Some(session) = cache.get::<Session>("session:42").await? {
        println!("  welcome back, {} ({})", session.user, session.role);
    }

    println!("An API response");
    let for_an_hour = LoadOptions::ttl(hours(1)).tag("city:paris");
    for _ in 0..2 {
        let weather =
            cache.get_or_load("weather:paris", for_an_hour.clone(), || fetch_weather("Paris")).await?;
        println!("  {}: {} °C", weather.city, weather.celsius);
    }

    println!("Where an answer came from");
    let (_, receipt) = cache.get_with_receipt::<Weather>("weather:paris").await?;
    if let (Some(Tier::Local), Some(age), Some(fresh_for)) = (receipt.tier, receipt.age, receipt.fresh_for) {
        println!("  tier 1, {age:.0?} old, fresh for another {:.0} min", fresh_for.as_secs_f64() / 60.0);
    }

    println!("An invalidation");
    cache.invalidate_tag("city:paris").await?;
    let (_, receipt) = cache.get_with_receipt::<Weather>("weather:paris").await?;
    println!("  weather:paris is {}", receipt.status.as_str());
    cache.get_or_load("weather:paris", for_an_hour, || fetch_weather("Paris")).await?;

    println!("Statistics");
    let stats = cache.stats();
    println!("  {} operations, {:.0} % of reads hit", stats.total_operations, stats.hit_ratio * 100.0);
    println!("  {} loads, {} entries in memory", stats.loads.started, stats.memory_usage.entries);
    Ok(())
}
