//! The routes.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use axum::routing::get;
use cache_core::HealthStatus;
use serde::Serialize;

use super::answer::{json, text, with};
use super::page::Page;
use super::probe::Probe;
use crate::advice::Recommendation;
use crate::history::{CacheHistory, STEP};
use crate::monitor::PerformanceMonitor;
use crate::report::{BigKey, HotKey};
use crate::section::Section;
use crate::snapshot::Snapshot;

/// So many hot and big keys are told.
const KEYS: usize = 10;

struct Routes {
    monitor: Arc<PerformanceMonitor>,
    probe: Probe,
    page: Page,
}

pub(super) fn router(monitor: Arc<PerformanceMonitor>) -> Router {
    let probe = Probe::new(Arc::clone(&monitor));
    let routes = Arc::new(Routes { monitor, probe, page: Page::new() });
    Router::new()
        .route("/", get(page))
        .route("/health", get(health))
        .route("/stats", get(stats))
        .route("/history", get(history))
        .route("/metrics", get(metrics))
        .fallback(|| async { text(StatusCode::NOT_FOUND, "there is no such page\n") })
        .with_state(routes)
}

async fn page(State(routes): State<Arc<Routes>>) -> Response {
    let mut response = with(StatusCode::OK, "text/html; charset=utf-8", routes.page.html.clone());
    if let Ok(policy) = HeaderValue::from_str(&routes.page.policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

async fn health(State(routes): State<Arc<Routes>>) -> Response {
    let answer = routes.probe.ask().await;
    let is_unhealthy = answer.health.status == HealthStatus::Unhealthy;
    json(if is_unhealthy { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }, &answer)
}

/// All that the page shows beside history and health.
#[derive(Serialize)]
struct Stats {
    #[serde(flatten)]
    snapshot: Snapshot,
    thresholds: Thresholds,
    hot_keys: Vec<HotKey>,
    big_keys: Vec<BigKey>,
    recommendations: Vec<Recommendation>,
    sections: Vec<Section>,
}

#[derive(Serialize)]
struct Thresholds {
    memory_warning: u64,
    memory_critical: u64,
    hit_ratio_warning: f64,
    /// In seconds, as all times.
    operation_slow: f64,
}

async fn stats(State(routes): State<Arc<Routes>>) -> Response {
    let monitor = &routes.monitor;
    let crate::Thresholds { memory_warning, memory_critical, hit_ratio_warning, operation_slow } =
        monitor.thresholds();
    let operation_slow = operation_slow.as_secs_f64();
    let stats = Stats {
        snapshot: monitor.snapshot(),
        thresholds: Thresholds { memory_warning, memory_critical, hit_ratio_warning, operation_slow },
        hot_keys: monitor.hot_keys(KEYS),
        big_keys: monitor.big_keys(KEYS),
        recommendations: monitor.recommendations(),
        sections: monitor.sections(),
    };
    json(StatusCode::OK, &stats)
}

#[derive(Serialize)]
struct History {
    step_seconds: f64,
    caches: Vec<CacheHistory>,
}

async fn history(State(routes): State<Arc<Routes>>, uri: Uri) -> Response {
    let mut after = 0;
    for pair in uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let Some(time) = pair.strip_prefix("after=").and_then(|time| time.parse().ok()) else {
            return text(StatusCode::BAD_REQUEST, "only after= is taken, with milliseconds since 1970\n");
        };
        after = time;
    }
    let history = History { step_seconds: STEP.as_secs_f64(), caches: routes.monitor.history(after) };
    json(StatusCode::OK, &history)
}

async fn metrics(State(routes): State<Arc<Routes>>) -> Response {
    with(StatusCode::OK, PerformanceMonitor::PROMETHEUS_CONTENT_TYPE, routes.monitor.prometheus())
}
