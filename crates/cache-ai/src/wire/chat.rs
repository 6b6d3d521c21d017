//! Chat completions, and the older completions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::choice::{Choice, is_other};
use super::pieces::pieces;
use crate::answer::{Answer, Finish, Outcome, Usage};

/// The body of a chat completion, as JSON. Its events are the chunks of the streamed form.
///
/// A choice whose `finish_reason` is null counts as cut, and so does one that has none where others have one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Chat(pub Value);

/// The texts of a message that come piece by piece.
pub(super) const TEXTS: [&str; 4] = ["reasoning_content", "reasoning", "content", "refusal"];

impl Chat {
    /// The text of the first choice.
    pub fn text(&self) -> &str {
        let choice = &self.0["choices"][0];
        choice["message"]["content"].as_str().or(choice["text"].as_str()).unwrap_or_default()
    }
}

impl Answer for Chat {
    type Event = Value;

    const KIND: Option<&'static str> = Some("chat");

    fn outcome(&self) -> Outcome {
        let choices = self.0["choices"].as_array().map(Vec::as_slice).unwrap_or_default();
        let message = |choice: &Value, field: &str| has(&choice["message"][field]);
        Outcome {
            finish: if has(&self.0["error"]) {
                Finish::Error
            } else {
                worst(choices.iter().map(end).collect())
            },
            usage: usage(&self.0["usage"], "prompt_tokens", "completion_tokens"),
            choices: Some(choices.len()),
            is_refusal: choices.iter().any(|choice| message(choice, "refusal")),
            // A choice without anything in it is enough: somebody would be served nothing.
            is_empty: choices.is_empty()
                || choices.iter().any(|choice| {
                    !["content", "tool_calls", "function_call", "refusal", "audio"]
                        .iter()
                        .any(|field| says(&choice["message"][*field]))
                        && !says(&choice["text"])
                }),
        }
    }

    fn from_events(events: &[&Value]) -> Option<Self> {
        let mut whole = Map::new();
        let mut choices: BTreeMap<u64, Choice> = BTreeMap::new();
        for chunk in events {
            let chunk = chunk.as_object()?;
            if chunk.get("error").is_some_and(has) {
                return None;
            }
            for (name, value) in chunk.iter().filter(|(name, value)| *name != "choices" && !value.is_null()) {
                whole.insert(name.clone(), value.clone());
            }
            for choice in chunk.get("choices").and_then(Value::as_array).into_iter().flatten() {
                choices.entry(choice["index"].as_u64().unwrap_or(0)).or_default().take(choice);
            }
        }
        if choices.is_empty() || choices.values().any(|choice| !choice.is_whole()) {
            return None;
        }
        let is_chat = whole.get("object").and_then(Value::as_str) != Some("text_completion");
        if is_chat {
            whole.insert("object".into(), json!("chat.completion"));
        }
        let choices = choices.into_iter().map(|(index, choice)| choice.into_value(index, is_chat)).collect();
        whole.insert("choices".into(), Value::Array(choices));
        Some(Self(Value::Object(whole)))
    }

    fn to_events(&self, characters: Option<usize>) -> Vec<Value> {
        let mut frame = self.0.as_object().cloned().unwrap_or_default();
        let usage = frame.remove("usage");
        let choices = frame.remove("choices");
        let is_chat = frame.get("object").and_then(Value::as_str) != Some("text_completion");
        if is_chat {
            frame.insert("object".into(), json!("chat.completion.chunk"));
        }
        let chunk = |choices: Value| {
            let mut chunk = frame.clone();
            chunk.insert("choices".into(), choices);
            Value::Object(chunk)
        };
        let mut events = Vec::new();
        for (at, choice) in choices.as_ref().and_then(Value::as_array).into_iter().flatten().enumerate() {
            let at = json!(at);
            let index = choice.get("index").filter(|index| index.is_u64()).unwrap_or(&at);
            for delta in deltas(choice, characters) {
                events.push(chunk(if is_chat {
                    json!([{"index": index, "delta": delta, "finish_reason": null}])
                } else {
                    json!([{"index": index, "text": delta["text"], "finish_reason": null}])
                }));
            }
            let mut end = Map::new();
            end.insert("index".into(), index.clone());
            end.insert(
                if is_chat { "delta" } else { "text" }.into(),
                if is_chat { json!({}) } else { json!("") },
            );
            end.insert("finish_reason".into(), choice["finish_reason"].clone());
            let others = choice.as_object().into_iter().flatten().filter(|(name, _)| is_other(name));
            end.extend(others.map(|(name, value)| (name.clone(), value.clone())));
            events.push(chunk(json!([end])));
        }
        if let Some(usage) = usage {
            let mut last = chunk(json!([]));
            last["usage"] = usage;
            events.push(last);
        }
        events
    }
}

/// The deltas that bring a choice, without its end.
fn deltas(choice: &Value, characters: Option<usize>) -> Vec<Value> {
    let mut deltas = Vec::new();
    if let Some(text) = choice["text"].as_str() {
        deltas.extend(pieces(text, characters).into_iter().map(|piece| json!({"text": piece})));
        return deltas;
    }
    let Some(message) = choice["message"].as_object() else { return deltas };
    let mut first = message.clone();
    first.retain(|name, value| !TEXTS.contains(&name.as_str()) || !value.is_string());
    first.remove("tool_calls");
    deltas.push(Value::Object(first));
    for name in TEXTS {
        let text = message.get(name).and_then(Value::as_str).unwrap_or_default();
        deltas.extend(pieces(text, characters).into_iter().map(|piece| json!({name: piece})));
    }
    for (at, call) in message.get("tool_calls").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let mut head = call.clone();
        if !head.is_object() {
            deltas.push(json!({"tool_calls": [head]}));
            continue;
        }
        head["index"] = json!(at);
        let kind = if has(&call["custom"]) { ("custom", "input") } else { ("function", "arguments") };
        let arguments = call[kind.0][kind.1].as_str().unwrap_or_default();
        if call[kind.0][kind.1].is_string() {
            head[kind.0][kind.1] = json!("");
        }
        deltas.push(json!({"tool_calls": [head]}));
        for piece in pieces(arguments, characters) {
            deltas.push(json!({"tool_calls": [{"index": at, kind.0: {kind.1: piece}}]}));
        }
    }
    deltas
}

pub(super) fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Whether there is something: not null, no empty text, list or object.
pub(super) fn has(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

/// Whether there is something for a reader: blanks and parts of blanks are nothing.
pub(super) fn says(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(parts) => parts.iter().any(|part| part.get("text").map_or_else(|| has(part), says)),
        other => has(other),
    }
}

pub(super) fn usage(usage: &Value, input: &str, output: &str) -> Usage {
    Usage::new(usage[input].as_u64().unwrap_or(0), usage[output].as_u64().unwrap_or(0))
}

/// How a choice ended. One that says that it has no end is not done.
fn end(choice: &Value) -> Finish {
    match choice.get("finish_reason") {
        None => Finish::Unknown,
        Some(Value::Null) => Finish::Length,
        Some(Value::String(word)) => Finish::of_word(word),
        Some(_) => Finish::Other,
    }
}

/// Of several ends the one that counts against the answer.
fn worst(mut ends: Vec<Finish>) -> Finish {
    if ends.iter().any(|end| *end != Finish::Unknown) {
        // Where others say how they ended, one that does not is not done.
        ends.iter_mut().filter(|end| **end == Finish::Unknown).for_each(|end| *end = Finish::Length);
    }
    let rank = |end: &Finish| match end {
        Finish::Unknown => 0,
        Finish::Stop => 1,
        Finish::ToolCalls => 2,
        Finish::Other => 3,
        Finish::Length => 4,
        Finish::ContentFilter => 5,
        Finish::Error => 6,
    };
    ends.into_iter().max_by_key(rank).unwrap_or_default()
}
