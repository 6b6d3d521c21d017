//! Over HTTP: the routes, and a small server for who has none to mount them in.

mod answer;
mod bounded;
mod host;
mod page;
mod probe;
mod routes;
mod serve;

pub use serve::{Serve, Served};

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;

use crate::monitor::PerformanceMonitor;

impl PerformanceMonitor {
    /// Routes to mount in an application, at its root or below a prefix. They only read.
    ///
    /// | route | what it answers |
    /// |---|---|
    /// | `/` | a page that shows it all live |
    /// | `/health` | JSON: how the caches are; status 503 if one is unhealthy, else 200 |
    /// | `/stats` | JSON: [`snapshot`](Self::snapshot), hot and big keys, recommendations, thresholds, sections |
    /// | `/history` | JSON: [`history`](Self::history); `?after=` takes milliseconds since 1970 |
    /// | `/metrics` | text for Prometheus |
    ///
    /// Whoever can ask an application for them sees names of caches and operations and numbers, and keys as
    /// [`show_keys`](crate::MonitorBuilder::show_keys) says. If that is not for everybody, put them behind what guards the rest of
    /// your application. Answers must not be kept, framed or read by other sites, and say so in their headers.
    ///
    /// `/health` tries the stores out, for all who ask within a second only once, and answers within a second: what has not
    /// answered by then is degraded. Degraded is 200, because the cache still serves: a readiness probe that took its service
    /// away for a slow Redis would make matters worse.
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use cache_monitor::PerformanceMonitor;
    ///
    /// let monitor = PerformanceMonitor::new();
    /// let app: Router = Router::new()
    ///     .route("/hello", get(|| async { "hello" }))
    ///     .nest_service("/cache", monitor.router());
    /// # drop(app);
    /// ```
    ///
    /// With `nest_service` the page is at `/cache` and `/cache/`, with `nest` at the first alone.
    pub fn router(self: &Arc<Self>) -> Router {
        routes::router(Arc::clone(self)).layer(from_fn(answer::guarded))
    }

    /// Starts to serve the [`router`](Self::router) by itself, for an application that has no HTTP server of its own: by default
    /// to this machine alone, at a port that is free.
    ///
    /// ```
    /// use cache_monitor::PerformanceMonitor;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cache_core::Error> {
    /// let monitor = PerformanceMonitor::new();
    /// let served = monitor.serve().await?;
    /// println!("the page is at {}", served.url());
    /// # Ok(()) } // dropping `served` ends it
    /// ```
    pub fn serve(self: &Arc<Self>) -> Serve {
        Serve::new(Arc::clone(self))
    }
}
