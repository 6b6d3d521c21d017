//! Answers of a model: each user is a tenant, equal questions are generated once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use cache_factory::ai::{AiRequest, Control, Finish, Generated, Loaded, Tenant, Usage};
use serde::{Deserialize, Serialize};

use crate::App;
use crate::failed::Failed;
use crate::sessions::current;

/// Stands for a model. It counts how often it is asked.
#[derive(Clone, Default)]
pub(crate) struct Model {
    asked: Arc<AtomicU32>,
}

impl Model {
    async fn generate(&self, question: &str) -> Loaded<Generated<String>> {
        let number = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        let words = question.split_whitespace().count();
        let text = format!("Answer {number}: {words} words were asked.");
        let usage = Usage::new(words as u64, text.split_whitespace().count() as u64);
        Ok(Generated::new(text).usage(usage).finish(Finish::Stop))
    }
}

#[derive(Deserialize)]
pub(crate) struct Question {
    question: String,
}

#[derive(Serialize)]
pub(crate) struct Answer {
    answer: String,
    is_cached: bool,
    /// Calls of the model that the cache saved so far, for everybody.
    calls_saved: u64,
}

pub(crate) async fn ask(
    State(app): State<App>,
    headers: HeaderMap,
    Json(Question { question }): Json<Question>,
) -> Result<Json<Answer>, Failed> {
    let (_, session) = current(&app, &headers).await?;
    let request = AiRequest::new(Tenant::new(&session.user)?, "qa")
        .model("stand-in")
        .system("You answer in one sentence.")
        .message("user", &question);
    let model = app.model.clone();
    let generate = || async move { model.generate(&question).await };
    let answer = app.ai.get_or_generate(&request, Control::new(), generate).await?;
    Ok(Json(Answer {
        answer: (**answer).clone(),
        is_cached: answer.meta().cache_hit,
        calls_saved: app.ai.ledger().total.calls_saved,
    }))
}
