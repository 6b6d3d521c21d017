//! Which answers are kept goes by how they ended, and by whether there is anything in them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod common;

use cache_ai::{
    AiCache, AiRequest, AiSettings, Answer, Chat, Control, Finish, Generated, Kept, Loaded, Namespace,
    Refused, Responses, Usage,
};
use cache_testkit::FakeClock;
use common::{acme, ask, private, shared};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

async fn refused<A: Answer>(settings: AiSettings, request: AiRequest, answer: A) -> Option<Refused> {
    let cache = private(&FakeClock::new(), settings);
    let got = cache.complete(&request, Control::new(), || async { Loaded::Ok(answer) }).await.unwrap();
    let reason = got.meta().refused;
    let counted = cache.stats().operations["qa"].refused.clone();
    assert_eq!(counted.keys().copied().next(), reason.map(Refused::as_str), "it is counted");
    cache_testkit::settle().await;
    assert_eq!(cache.cache().stats().memory_usage.entries, u64::from(reason.is_none()));
    reason
}

async fn chat(choices: Value) -> Option<Refused> {
    refused(AiSettings::new(), ask("x"), Chat(json!({"choices": choices}))).await
}

fn ended(word: &Value) -> Value {
    json!({"message": {"content": "half an"}, "finish_reason": word})
}

#[tokio::test]
async fn a_word_for_an_end_that_nobody_knows_is_none_to_rely_on() {
    let good = ["stop", "STOP", "end_turn", "COMPLETE", "completed", "stop_sequence", "eos", "eos_token"];
    for word in
        good.into_iter().chain(["FINISH", "done", "tool_calls", "TOOL_CALL", "tool_use", "function_call"])
    {
        assert_eq!(chat(json!([ended(&json!(word))])).await, None, "{word}");
    }
    let cut =
        ["insufficient_system_resource", "max_new_tokens", "MALFORMED_FUNCTION_CALL", "null", "MAX_TOKENS"];
    let held_back = ["sensitive", "content-filter", "IMAGE_SAFETY", "ERROR_TOXIC", "LANGUAGE"];
    let failed = ["abort", "network_error", "canceled", "USER_CANCEL", "TIMEOUT"];
    let unknown = ["OTHER", "FINISH_REASON_UNSPECIFIED", "not_finished", "gone fishing"];
    let words = cut.map(|word| (word, Refused::Length)).into_iter();
    let words = words.chain(held_back.map(|word| (word, Refused::ContentFilter)));
    let words = words.chain(failed.map(|word| (word, Refused::Error)));
    for (word, reason) in words.chain(unknown.map(|word| (word, Refused::UnknownFinish))) {
        assert_eq!(chat(json!([ended(&json!(word))])).await, Some(reason), "{word}");
    }
    assert_eq!(chat(json!([ended(&json!(7))])).await, Some(Refused::UnknownFinish));
    let body = Responses(json!({"status": "expired", "output": [{"content": [{"text": "x"}]}]}));
    assert_eq!(refused(AiSettings::new(), ask("x"), body).await, Some(Refused::UnknownFinish));
}

#[tokio::test]
async fn a_word_that_nobody_knows_can_be_allowed_and_none_says_nothing() {
    let settings = AiSettings::new().keep_in_spite_of(Refused::UnknownFinish);
    let body = Chat(json!({"choices": [ended(&json!("gone fishing"))]}));
    assert_eq!(refused(settings, ask("x"), body).await, None);
    assert_eq!(chat(json!([{"message": {"content": "all of it"}}])).await, None);
    assert_eq!(Finish::of_word(""), Finish::Unknown);
    let texts = shared(&private(&FakeClock::new(), AiSettings::new()));
    assert_eq!(texts.cache_response("x", "qa", &(), &"y".to_owned()).await.unwrap(), Kept::Stored);
}

#[test]
fn what_has_no_whole_cannot_be_allowed() {
    for reason in [Refused::Truncated, Refused::Cancelled] {
        let clock = FakeClock::new();
        let builder = AiCache::builder(Namespace::new("t").unwrap()).local(common::tier(&clock));
        let error = builder.timer(clock).ai(AiSettings::new().keep_in_spite_of(reason)).build().unwrap_err();
        assert!(error.message().contains(&format!("keep_in_spite_of({reason})")), "{error}");
    }
}

#[tokio::test]
async fn each_of_several_answers_to_choose_from_must_have_ended() {
    let stop = ended(&json!("stop"));
    let silent = json!({"message": {"content": "half an"}});
    assert_eq!(chat(json!([stop, ended(&Value::Null)])).await, Some(Refused::Length));
    assert_eq!(chat(json!([silent, stop])).await, Some(Refused::Length));
    assert_eq!(chat(json!([ended(&Value::Null)])).await, Some(Refused::Length), "it says that it has no end");
    assert_eq!(chat(json!([stop, ended(&json!("gone fishing"))])).await, Some(Refused::UnknownFinish));
    assert_eq!(chat(json!([stop, stop])).await, None);
}

#[tokio::test]
async fn fewer_answers_than_were_asked_for_are_not_kept() {
    let asked = || AiRequest::from_body(acme(), "qa", json!({"model": "m", "n": 2, "messages": []}));
    let of = |count| Chat(json!({"choices": vec![ended(&json!("stop")); count]}));
    assert_eq!(refused(AiSettings::new(), asked(), of(1)).await, Some(Refused::Truncated));
    assert_eq!(refused(AiSettings::new(), asked(), of(2)).await, None);
    assert_eq!(refused(AiSettings::new(), asked(), of(3)).await, None);
}

#[tokio::test]
async fn blanks_are_nothing() {
    for content in [json!(" "), json!("\n\n"), json!([{"type": "text", "text": ""}]), json!([])] {
        let choice = json!({"message": {"content": content}, "finish_reason": "stop"});
        assert_eq!(chat(json!([choice])).await, Some(Refused::Empty), "{content}");
    }
    let choice = json!({"text": " \n", "finish_reason": "stop"});
    assert_eq!(chat(json!([choice])).await, Some(Refused::Empty));
    let parts = json!([{"type": "text", "text": ""}, {"type": "image_url", "image_url": {"url": "a"}}]);
    let choice = json!({"message": {"content": parts}, "finish_reason": "stop"});
    assert_eq!(chat(json!([choice])).await, None);
}

#[tokio::test]
async fn a_model_that_only_worked_has_said_nothing() {
    let said = json!({"type": "message", "content": [{"type": "output_text", "text": "It is sunny."}]});
    let work = ["reasoning", "web_search_call", "file_search_call", "code_interpreter_call", "mcp_call"];
    for kind in work {
        let work = json!({"type": kind, "status": "completed"});
        for (output, reason) in [(json!([work]), Some(Refused::Empty)), (json!([work, said]), None)] {
            let body = Responses(json!({"status": "completed", "output": output}));
            assert_eq!(refused(AiSettings::new(), ask("x"), body).await, reason, "{kind}");
        }
    }
    let blanks = json!([{"type": "message", "content": [{"type": "output_text", "text": " \n"}]}]);
    let body = Responses(json!({"status": "completed", "output": blanks}));
    assert_eq!(refused(AiSettings::new(), ask("x"), body).await, Some(Refused::Empty));
    for kind in ["function_call", "custom_tool_call", "mcp_approval_request", "image_generation_call"] {
        let body = Responses(json!({"status": "completed", "output": [{"type": kind}]}));
        assert_eq!(refused(AiSettings::new(), ask("x"), body).await, None, "{kind}");
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Scored {
    text: String,
    score: Option<f64>,
}

#[tokio::test]
async fn a_number_that_is_none_makes_an_answer_invalid() {
    let cache = private(&FakeClock::new(), AiSettings::new());
    for (score, reason) in [
        (Some(f64::NAN), Some(Refused::Invalid)),
        (Some(f64::INFINITY), Some(Refused::Invalid)),
        (Some(0.5), None),
        (None, None),
    ] {
        let answer = Scored { text: "x".into(), score };
        let kept = shared(&cache).cache_response(&format!("{score:?}"), "qa", &(), &answer).await.unwrap();
        assert_eq!(kept, reason.map_or(Kept::Stored, Kept::Refused), "{score:?}");
    }
}

#[tokio::test]
async fn what_a_generator_says_of_its_end_counts_as_the_words_of_bodies() {
    let cache = private(&FakeClock::new(), AiSettings::new());
    let word = |word: &'static str| {
        move || async move {
            Loaded::Ok(Generated::new("x".to_owned()).finish(Finish::of_word(word)).usage(Usage::new(1, 1)))
        }
    };
    let got = cache.get_or_generate(&ask("x"), Control::new(), word("gone fishing")).await.unwrap();
    assert_eq!((got.meta().finish, got.meta().refused), (Finish::Other, Some(Refused::UnknownFinish)));
    let got = cache.get_or_generate(&ask("x"), Control::new(), word("STOP")).await.unwrap();
    assert_eq!((got.meta().finish, got.meta().refused), (Finish::Stop, None));
}
