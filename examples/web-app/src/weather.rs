//! A slow service, asked once however many ask, and changes that void its answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use cache_factory::durations::{hours, mins};
use cache_factory::{KeySpace, LoadOptions, Loaded};
use serde::{Deserialize, Serialize};

use crate::App;
use crate::failed::Failed;

const KEYS: KeySpace = KeySpace::new("api:weather");
const CITIES: KeySpace = KeySpace::new("city");

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Weather {
    city: String,
    celsius: f64,
    /// The how manieth answer of the service this is.
    answer: u32,
}

/// Stands for somebody else's service.
#[derive(Clone, Default)]
pub(crate) struct Service {
    asked: Arc<AtomicU32>,
}

impl Service {
    async fn ask(&self, city: String) -> Loaded<Weather> {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if city == "atlantis" {
            return Err("there is no weather in Atlantis".into());
        }
        Ok(Weather { city, celsius: 21.5, answer: self.asked.fetch_add(1, Ordering::Relaxed) + 1 })
    }
}

pub(crate) async fn of(State(app): State<App>, Path(city): Path<String>) -> Result<Json<Weather>, Failed> {
    let options = LoadOptions::ttl(hours(1)).stale_for(mins(10)).tag(CITIES.key(&city));
    let service = app.service.clone();
    let weather =
        app.cache.get_or_load(KEYS.key(&city), options, || async move { service.ask(city).await }).await?;
    Ok(Json((*weather).clone()))
}

/// Called by the service when the weather has changed.
pub(crate) async fn changed(State(app): State<App>, Path(city): Path<String>) -> Result<StatusCode, Failed> {
    app.cache.invalidate_tag(CITIES.key(&city)).await?;
    Ok(StatusCode::NO_CONTENT)
}
