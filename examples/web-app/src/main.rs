#![doc = include_str!("../README.md")]

mod assistant;
mod failed;
mod sessions;
mod weather;

use axum::Router;
use axum::routing::{get, post};
use cache_factory::ai::AiCache;
use cache_factory::{Cache, CacheFactory, Confirm, PerformanceMonitor};
use tokio::net::TcpListener;

/// What every request can reach. All of it is handles: cloning is cheap.
#[derive(Clone)]
struct App {
    cache: Cache,
    ai: AiCache,
    model: assistant::Model,
    service: weather::Service,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let monitor = PerformanceMonitor::new();
    let name = std::env::var("CACHE_NAMESPACE").unwrap_or_else(|_| "web-app".to_owned());
    let setup = CacheFactory::from_env()?.namespace(&name);
    let cache = setup.performance_monitor(monitor.clone()).await?;
    // Handlers void by tag, also where the cache is marked as production.
    let cache = cache.confirmed(&Confirm::namespace(&name))?;
    let setup = CacheFactory::ai_from_env()?.namespace(format!("{name}-ai"));
    let ai = setup.performance_monitor(monitor.clone()).await?;
    let app = App { cache, ai, model: assistant::Model::default(), service: weather::Service::default() };

    let routes = Router::new()
        .route("/", get(async || env!("CARGO_PKG_DESCRIPTION")))
        .route("/login", post(sessions::login))
        .route("/logout", post(sessions::logout))
        .route("/logout/everywhere", post(sessions::logout_everywhere))
        .route("/me", get(sessions::me))
        .route("/weather/{city}", get(weather::of))
        .route("/weather/{city}/changed", post(weather::changed))
        .route("/ask", post(assistant::ask))
        .with_state(app)
        .nest_service("/cache", monitor.router());

    let address = std::env::var("ADDRESS").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(&address).await?;
    println!("http://{}/", listener.local_addr()?);
    axum::serve(listener, routes).with_graceful_shutdown(until_interrupted()).await?;
    Ok(())
}

async fn until_interrupted() {
    // Without a way to be told, it runs until it is killed.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
