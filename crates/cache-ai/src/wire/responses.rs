//! The responses API.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::chat::{has, says, usage, word};
use super::pieces::pieces;
use crate::answer::{Answer, Finish, Outcome};

/// The body of a response, as JSON. Its events are those of the streamed form.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Responses(pub Value);

/// Items that are the model's own work. Where there is nothing else, it has said nothing.
const WORK: [&str; 7] = [
    "message", // is judged by its text
    "reasoning",
    "web_search_call",
    "file_search_call",
    "code_interpreter_call",
    "mcp_list_tools",
    "mcp_call",
];

impl Answer for Responses {
    type Event = Value;

    const KIND: Option<&'static str> = Some("responses");

    fn outcome(&self) -> Outcome {
        let finish = match word(&self.0["status"]) {
            "incomplete" if word(&self.0["incomplete_details"]["reason"]) == "content_filter" => {
                Finish::ContentFilter
            }
            status => Finish::of_word(status),
        };
        let items = self.0["output"].as_array().map(Vec::as_slice).unwrap_or_default();
        let parts = || items.iter().flat_map(|item| item["content"].as_array().into_iter().flatten());
        let has_text = parts().any(|part| says(&part["text"]));
        let has_call = items.iter().any(|item| !WORK.contains(&word(&item["type"])));
        Outcome {
            finish: if has(&self.0["error"]) { Finish::Error } else { finish },
            usage: usage(&self.0["usage"], "input_tokens", "output_tokens"),
            choices: None,
            is_refusal: parts().any(|part| word(&part["type"]) == "refusal"),
            is_empty: !has_text && !has_call,
        }
    }

    /// The last event brings the whole.
    fn from_events(events: &[&Value]) -> Option<Self> {
        let last = events.iter().rev().find(|event| word(&event["type"]) == "response.completed")?;
        has(&last["response"]).then(|| Self(last["response"].clone()))
    }

    fn to_events(&self, characters: Option<usize>) -> Vec<Value> {
        let mut started = self.0.clone();
        if started.is_object() {
            started["status"] = json!("in_progress");
            started["output"] = json!([]);
        }
        let mut events = vec![json!({"type": "response.created", "response": started})];
        for (at, item) in self.0["output"].as_array().into_iter().flatten().enumerate() {
            events.push(json!({"type": "response.output_item.added", "output_index": at, "item": item}));
            let id = &item["id"];
            for (part_at, part) in item["content"].as_array().into_iter().flatten().enumerate() {
                for piece in pieces(part["text"].as_str().unwrap_or_default(), characters) {
                    events.push(json!({
                        "type": "response.output_text.delta",
                        "item_id": id, "output_index": at, "content_index": part_at, "delta": piece,
                    }));
                }
            }
            for (part_at, part) in item["summary"].as_array().into_iter().flatten().enumerate() {
                for piece in pieces(part["text"].as_str().unwrap_or_default(), characters) {
                    events.push(json!({
                        "type": "response.reasoning_summary_text.delta",
                        "item_id": id, "output_index": at, "summary_index": part_at, "delta": piece,
                    }));
                }
            }
            for piece in pieces(item["arguments"].as_str().unwrap_or_default(), characters) {
                events.push(json!({
                    "type": "response.function_call_arguments.delta",
                    "item_id": id, "output_index": at, "delta": piece,
                }));
            }
            events.push(json!({"type": "response.output_item.done", "output_index": at, "item": item}));
        }
        events.push(json!({"type": "response.completed", "response": self.0}));
        for (at, event) in events.iter_mut().enumerate() {
            event["sequence_number"] = json!(at);
        }
        events
    }
}
