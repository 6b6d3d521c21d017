//! Chat completions, and the older completions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::pieces::pieces;
use crate::answer::{Answer, Finish, Outcome, Usage};

/// The body of a chat completion, as JSON. Its events are the chunks of the streamed form.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Chat(pub Value);

/// The texts of a message that come piece by piece.
const TEXTS: [&str; 4] = ["reasoning_content", "reasoning", "content", "refusal"];

/// Texts inside of its calls and its voice that do as well.
const INNER_TEXTS: [&str; 4] = ["arguments", "input", "data", "transcript"];

/// Texts that some send again and again: the last is right.
const WHOLE_TEXTS: [&str; 4] = ["role", "id", "type", "name"];

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
        let finishes = choices.iter().map(|choice| Finish::of_word(word(&choice["finish_reason"])));
        Outcome {
            finish: if has(&self.0["error"]) { Finish::Error } else { worst(finishes) },
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

/// What came of one choice so far.
#[derive(Default)]
struct Choice {
    message: Map<String, Value>,
    tools: BTreeMap<u64, Map<String, Value>>,
    text: Option<String>,
    others: Map<String, Value>,
    finish: Option<Value>,
    /// Something came in pieces of which nobody knows what they make.
    is_unclear: bool,
}

impl Choice {
    fn take(&mut self, choice: &Value) {
        if let Some(text) = choice["text"].as_str() {
            self.text.get_or_insert_default().push_str(text);
        }
        if has(&choice["finish_reason"]) {
            self.finish = Some(choice["finish_reason"].clone());
        }
        for (name, value) in choice.as_object().into_iter().flatten() {
            if name == "logprobs" {
                self.is_unclear |= !merge_field(&mut self.others, name, value);
            } else if is_other(name) && !value.is_null() {
                self.others.insert(name.clone(), value.clone());
            }
        }
        for (name, value) in choice["delta"].as_object().into_iter().flatten() {
            if name == "tool_calls" {
                for call in value.as_array().into_iter().flatten() {
                    // A piece that says neither which call it is of nor that it begins one.
                    self.is_unclear |= call["index"].is_null() && !has(&call["id"]) && !self.tools.is_empty();
                    let at = call["index"].as_u64().unwrap_or(self.tools.len() as u64);
                    let tool = self.tools.entry(at).or_default();
                    for (name, value) in call.as_object().into_iter().flatten() {
                        self.is_unclear |= name != "index" && !merge_field(tool, name, value);
                    }
                }
            } else {
                self.is_unclear |= !merge_field(&mut self.message, name, value);
            }
        }
    }

    fn is_whole(&self) -> bool {
        self.finish.is_some() && !self.is_unclear
    }

    fn into_value(self, index: u64, is_chat: bool) -> Value {
        let mut choice = Map::new();
        choice.insert("index".into(), json!(index));
        if is_chat {
            let mut message = self.message;
            message.entry("role").or_insert(json!("assistant"));
            message.entry("content").or_insert(Value::Null);
            if !self.tools.is_empty() {
                let calls = self.tools.into_values().map(Value::Object).collect();
                message.insert("tool_calls".into(), Value::Array(calls));
            }
            choice.insert("message".into(), Value::Object(message));
        } else {
            choice.insert("text".into(), json!(self.text.unwrap_or_default()));
        }
        choice.insert("finish_reason".into(), self.finish.unwrap_or_default());
        choice.extend(self.others);
        Value::Object(choice)
    }
}

/// Whether a choice's field is one that is not put together from its parts.
fn is_other(name: &str) -> bool {
    !["index", "delta", "message", "text", "finish_reason"].contains(&name)
}

fn merge_field(fields: &mut Map<String, Value>, name: &str, piece: &Value) -> bool {
    piece.is_null() || merge(fields.entry(name).or_insert(Value::Null), name, piece)
}

/// Puts a piece to what came before: lists grow, objects are merged, texts that are known to come in pieces are put
/// together, of numbers and the like the last is right. `false` if nobody knows.
fn merge(slot: &mut Value, name: &str, piece: &Value) -> bool {
    let is_in_pieces = TEXTS.contains(&name) || INNER_TEXTS.contains(&name);
    match (slot, piece) {
        (Value::Array(items), Value::Array(more)) => items.extend(more.iter().cloned()),
        (Value::Object(fields), Value::Object(more)) => {
            // Each of them, whatever became of those before.
            return more.iter().fold(true, |known, (name, piece)| merge_field(fields, name, piece) && known);
        }
        (Value::String(text), Value::String(piece)) if is_in_pieces => text.push_str(piece),
        // The same again, or another piece of it: nobody knows.
        (Value::String(text), Value::String(piece)) if name == "name" && !text.is_empty() => {
            return piece.is_empty() || text == piece;
        }
        (slot, piece) if !has(slot) || WHOLE_TEXTS.contains(&name) => *slot = piece.clone(),
        (slot, piece) if has(piece) => {
            let is_plain = |value: &Value| matches!(value, Value::Bool(_) | Value::Number(_));
            if !(is_plain(slot) && is_plain(piece)) {
                return false;
            }
            *slot = piece.clone();
        }
        _ => {}
    }
    true
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

/// Of several ends the one that counts against the answer.
fn worst(finishes: impl Iterator<Item = Finish>) -> Finish {
    let rank = |finish: &Finish| match finish {
        Finish::Unknown => 0,
        Finish::Stop => 1,
        Finish::ToolCalls => 2,
        Finish::Length => 3,
        Finish::ContentFilter => 4,
        Finish::Error => 5,
    };
    finishes.max_by_key(rank).unwrap_or_default()
}
