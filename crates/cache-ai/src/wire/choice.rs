//! A choice of a chat that comes in pieces.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::chat::{TEXTS, has};

/// Texts inside of its calls and its voice that do as well.
const INNER_TEXTS: [&str; 4] = ["arguments", "input", "data", "transcript"];

/// Texts that some send again and again: the last is right.
const WHOLE_TEXTS: [&str; 4] = ["role", "id", "type", "name"];

/// What came of one choice so far.
#[derive(Default)]
pub(super) struct Choice {
    message: Map<String, Value>,
    tools: BTreeMap<u64, Map<String, Value>>,
    text: Option<String>,
    others: Map<String, Value>,
    finish: Option<Value>,
    /// Something came in pieces of which nobody knows what they make.
    is_unclear: bool,
}

impl Choice {
    pub(super) fn take(&mut self, choice: &Value) {
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
                    self.take_call(call);
                }
            } else {
                self.is_unclear |= !merge_field(&mut self.message, name, value);
            }
        }
    }

    /// Takes a piece of a tool call, which says by its index or its id which it is of. Without either it begins the only one.
    fn take_call(&mut self, call: &Value) {
        let id = &call["id"];
        let with_id = || self.tools.iter().find(|(_, tool)| has(id) && tool.get("id") == Some(id));
        let at = call["index"].as_u64().or_else(|| with_id().map(|(at, _)| *at));
        self.is_unclear |= at.is_none() && !has(id) && !self.tools.is_empty();
        let at = at.unwrap_or(self.tools.len() as u64);
        let tool = self.tools.entry(at).or_default();
        // Some give several calls one index.
        self.is_unclear |= has(id) && tool.get("id").is_some_and(|known| has(known) && known != id);
        for (name, value) in call.as_object().into_iter().flatten() {
            self.is_unclear |= name != "index" && !merge_field(tool, name, value);
        }
    }

    pub(super) fn is_whole(&self) -> bool {
        self.finish.is_some() && !self.is_unclear
    }

    pub(super) fn into_value(self, index: u64, is_chat: bool) -> Value {
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
pub(super) fn is_other(name: &str) -> bool {
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
