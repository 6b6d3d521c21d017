//! A stand-in for a model: speaks the wire format of chat completions, streamed and whole, and of embeddings.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

/// The model. It counts how often it is asked.
#[derive(Clone, Default)]
pub(crate) struct StandIn {
    asked: Arc<AtomicUsize>,
}

impl StandIn {
    /// Starts to answer on a free port of this machine; ends with the runtime.
    pub(crate) async fn start() -> std::io::Result<(Self, SocketAddr)> {
        let it = Self::default();
        let routes = Router::new()
            .route("/v1/chat/completions", post(chat))
            .route("/v1/embeddings", post(embeddings))
            .with_state(it.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Ok((it, address))
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn chat(State(model): State<StandIn>, Json(body): Json<Value>) -> Response {
    let number = model.asked.fetch_add(1, Ordering::SeqCst) + 1;
    let question = body["messages"]
        .as_array()
        .and_then(|all| all.last())
        .map_or("", |last| last["content"].as_str().unwrap_or_default());
    let text = format!("Answer {number}: {} words were asked.", question.split_whitespace().count());
    let tools = if body["tools"].is_array() {
        json!([{"id": "call-1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Paris\"}"}}])
    } else {
        Value::Null
    };
    let usage = json!({"prompt_tokens": question.len() / 4 + 8, "completion_tokens": 12, "total_tokens": 20});
    if body["stream"] == true {
        return events(&body["model"], &text, &tools, &usage);
    }
    let finish = if tools.is_null() { "stop" } else { "tool_calls" };
    let mut message = json!({"role": "assistant", "content": text, "reasoning_content": "Counting."});
    if !tools.is_null() {
        message["tool_calls"] = tools;
    }
    let answer = json!({
        "id": format!("chat-{number}"), "object": "chat.completion", "created": 1_700_000_000, "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": null}],
        "usage": usage,
    });
    Json(answer).into_response()
}

/// Server-sent events: role, reasoning, text word by word, a tool call in pieces, the end, the usage.
fn events(model: &Value, text: &str, tools: &Value, usage: &Value) -> Response {
    let chunk = |choices: Value| json!({"id": "chat-s", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": model, "choices": choices});
    let delta = |delta: Value| chunk(json!([{"index": 0, "delta": delta, "finish_reason": null}]));
    let mut chunks = vec![delta(json!({"role": "assistant", "content": ""}))];
    chunks.push(delta(json!({"reasoning_content": "Coun"})));
    chunks.push(delta(json!({"reasoning_content": "ting."})));
    chunks.extend(text.split_inclusive(' ').map(|word| delta(json!({"content": word}))));
    let mut finish = "stop";
    if let Some(call) = tools.as_array().and_then(|calls| calls.first()) {
        finish = "tool_calls";
        let mut head = call.clone();
        head["index"] = json!(0);
        head["function"]["arguments"] = json!("");
        chunks.push(delta(json!({"tool_calls": [head]})));
        for piece in ["{\"city\":", "\"Paris\"}"] {
            chunks.push(delta(json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})));
        }
    }
    chunks.push(chunk(json!([{"index": 0, "delta": {}, "finish_reason": finish}])));
    let mut last = chunk(json!([]));
    last["usage"] = usage.clone();
    chunks.push(last);
    let mut body: String = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    body.push_str("data: [DONE]\n\n");
    ([(CONTENT_TYPE, "text/event-stream")], body).into_response()
}

async fn embeddings(State(model): State<StandIn>, Json(body): Json<Value>) -> Json<Value> {
    model.asked.fetch_add(1, Ordering::SeqCst);
    let texts = body["input"].as_array().cloned().unwrap_or_default();
    let item = |(index, text): (usize, &Value)| {
        let length = text.as_str().map_or(0, str::len);
        json!({"object": "embedding", "index": index, "embedding": [length, 0.5, index]})
    };
    // Not in order, which the wire format does not promise.
    let data: Vec<Value> = texts.iter().enumerate().rev().map(item).collect();
    let usage = json!({"prompt_tokens": texts.len() * 3, "total_tokens": texts.len() * 3});
    Json(json!({"object": "list", "model": body["model"], "data": data, "usage": usage}))
}
