//! Responses of a slow service: a crowd that asks once, an invalidation in the middle of a load, and a service that fails:
//! `cargo run --example api_response`.
//!
//! Runs in memory first and then on a Redis server of its own. Ends with an error if a step is not as it should be.

mod places;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use cache_factory::durations::{hours, mins};
use cache_factory::{Cache, CacheSetup, Error, ErrorKind, LoadOptions};
use futures_util::future::try_join_all;
use places::{Failure, check, in_memory_and_on_redis};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

#[derive(Serialize, Deserialize)]
struct Weather {
    city: String,
    celsius: f64,
}

/// Stands for somebody else's service. It counts how often it is asked, answers when it is let to, and can be down.
#[derive(Default)]
struct Service {
    asked: AtomicU32,
    is_down: AtomicBool,
    answers: Notify,
}

impl Service {
    async fn weather(&self, city: &str) -> Result<Weather, std::io::Error> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        self.answers.notified().await;
        if self.is_down.load(Ordering::SeqCst) {
            return Err(std::io::Error::other("503 Service Unavailable"));
        }
        Ok(Weather { city: city.to_owned(), celsius: 20.0 + f64::from(number) })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    in_memory_and_on_redis(show).await
}

async fn show(setup: CacheSetup) -> Result<(), Failure> {
    let (cache, service) = (setup.await?, Arc::new(Service::default()));

    println!("  A hundred callers ask at once");
    let crowd = try_join_all((0..100).map(|_| ask(&cache, &service)));
    let (all, ()) = tokio::join!(crowd, answer(&service, 1));
    let weather = &all?[0];
    println!(
        "    the service was asked {} time: {} °C in {}",
        asked(&service),
        weather.celsius,
        weather.city
    );
    check(asked(&service) == 1, "the service was asked more than once")?;

    println!("  Later it is there");
    ask(&cache, &service).await?;
    check(asked(&service) == 1, "what is there was asked for again")?;
    println!("    the service was asked {} time", asked(&service));

    println!("  The weather changes while it is being asked for");
    cache.delete("api:weather:paris").await?;
    let late = ask(&cache, &service);
    let changed = async {
        started(&service, 2).await;
        let invalidated = cache.invalidate_tag("city:paris").await;
        service.answers.notify_one();
        invalidated
    };
    let (late, invalidated) = tokio::join!(late, changed);
    invalidated?;
    println!("    who waited is told {} °C", late?.celsius);
    check(
        cache.get::<Weather>("api:weather:paris").await?.is_none(),
        "an answer from before the change was kept",
    )?;
    println!("    and it is not kept");

    println!("  The service is down");
    let (fresh, ()) = tokio::join!(ask(&cache, &service), answer(&service, 3));
    let fresh = fresh?.celsius;
    service.is_down.store(true, Ordering::SeqCst);
    // Who waits for a load is answered before the store has the value.
    while !cache.exists("api:weather:paris").await? {
        tokio::task::yield_now().await;
    }
    cache.expire("api:weather:paris").await?;
    let stale = ask(&cache, &service).await?;
    println!("    for ten minutes an old answer will do: {} °C", stale.celsius);
    check((stale.celsius - fresh).abs() < 1e-9, "the old answer is another")?;
    answer(&service, 4).await;

    cache.delete("api:weather:paris").await?;
    let (failed, ()) = tokio::join!(ask(&cache, &service), answer(&service, 5));
    let error = failed.err().ok_or("a service that is down answered")?;
    println!("    without one, all who wait are told: {error}");
    check(error.kind() == ErrorKind::Load, "the error is of another kind")
}

async fn ask(cache: &Cache, service: &Arc<Service>) -> Result<Arc<Weather>, Error> {
    let options = LoadOptions::ttl(hours(1)).stale_for(mins(10)).tag("city:paris");
    let service = Arc::clone(service);
    cache.get_or_load("api:weather:paris", options, || async move { service.weather("Paris").await }).await
}

/// Lets the service answer what it is asked for the nth time.
async fn answer(service: &Service, nth: u32) {
    started(service, nth).await;
    service.answers.notify_one();
}

async fn started(service: &Service, nth: u32) {
    while asked(service) < nth {
        tokio::task::yield_now().await;
    }
}

fn asked(service: &Service) -> u32 {
    service.asked.load(Ordering::SeqCst)
}
