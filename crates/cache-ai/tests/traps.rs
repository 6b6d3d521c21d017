//! Ways to a wrong answer that are none.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod common;

use std::time::Duration;

use cache_ai::{
    AiCache, AiRequest, AiSettings, Chat, Control, EMBEDDING, EmbedSpec, Finish, Loaded, NotCached,
    OperationPolicy, OptionKind, OptionSchema, Repeat, Tenant,
};
use cache_testkit::FakeClock;
use common::{Model, acme, ask, private, shared};
use serde_json::{Value, json};

/// How often the model is asked for these requests, one after the other.
async fn calls(cache: &AiCache, requests: &[AiRequest]) -> usize {
    let model = Model::default();
    for request in requests {
        cache.get_or_generate(request, Control::new(), model.says("x")).await.unwrap();
    }
    model.calls()
}

#[test]
fn a_tenant_is_always_said_aloud() {
    #[derive(Debug, serde::Deserialize)]
    struct Settings {
        tenant: Tenant,
    }
    let read = |text: &str| serde_json::from_str::<Settings>(text).map(|it| it.tenant);
    assert_eq!(read(r#"{"tenant": "acme"}"#).unwrap(), acme());
    assert_eq!(read(r#"{"tenant": "~shared"}"#).unwrap(), Tenant::shared());
    for bad in ["{}", r#"{"tenant": null}"#, r#"{"tenant": ""}"#, r#"{"tenant": "sk-live-1"}"#] {
        assert!(read(bad).is_err(), "{bad}");
    }
    for tenant in [acme(), Tenant::shared()] {
        let text = serde_json::to_string(&tenant).unwrap();
        assert_eq!(serde_json::from_str::<Tenant>(&text).unwrap(), tenant);
    }
    assert!(Tenant::new("~shared").is_err(), "nobody is called like everybody");
}

#[tokio::test]
async fn what_a_later_policy_does_not_say_stays() {
    let with = |first: OperationPolicy| {
        let later = OperationPolicy::new().ttl(Duration::from_secs(60));
        private(&FakeClock::new(), AiSettings::new().operation("qa", first).operation("qa", later))
    };
    let never = with(OperationPolicy::new().repeat(Repeat::Never));
    assert_eq!(calls(&never, &[ask("x"), ask("x")]).await, 2);
    let typed = with(OperationPolicy::new().schema(OptionSchema::new().option("n", OptionKind::Integer)));
    let misspelt = ask("x").option("m", 1);
    assert!(typed.get_or_generate(&misspelt, Control::new(), Model::default().says("x")).await.is_err());
    let strict = with(OperationPolicy::new().validator(|_| Err("no".into())));
    let answer = strict.get_or_generate(&ask("x"), Control::new(), Model::default().says("x")).await.unwrap();
    assert_eq!(answer.meta().refused, Some(cache_ai::Refused::Invalid));
}

#[tokio::test]
async fn temperature_0_is_all_that_was_given_or_it_is_not_given() {
    let exact = OperationPolicy::new().repeat(Repeat::DeterministicOnly);
    let cache = private(&FakeClock::new(), AiSettings::new().operation("exact", exact));
    let body =
        |temperature: Value| AiRequest::from_body(acme(), "exact", json!({"temperature": temperature}));
    for (request, expected) in [
        (body(json!(0)), 1),
        (body(json!(0)).option("temperature", 0.0), 1),
        (body(json!(0.7)).option("temperature", 0), 2),
        (body(json!(0)).option("temperature", 1), 2),
        (body(json!("0")), 2),
        (body(json!(false)), 2),
    ] {
        assert_eq!(calls(&cache, &[request.clone(), request]).await, expected);
    }
    // A default is not given: the body that is sent does not have it.
    let schema = OptionSchema::new().option_or("temperature", OptionKind::Number, 0).unwrap();
    let exact = OperationPolicy::new().repeat(Repeat::DeterministicOnly).schema(schema);
    let cache = private(&FakeClock::new(), AiSettings::new().operation("exact", exact));
    let silent = AiRequest::from_body(acme(), "exact", json!({}));
    let given = silent.clone().option("temperature", 0);
    assert_eq!(calls(&cache, &[silent.clone(), silent]).await, 2);
    assert_eq!(calls(&cache, &[given.clone(), given]).await, 1);
}

#[tokio::test]
async fn an_option_is_the_number_that_it_shows() {
    let cache = private(&FakeClock::new(), AiSettings::new());
    let of = |value: f64| ask("x").option("temperature", value);
    assert_eq!(calls(&cache, &[ask("x").option("temperature", 0.1f32), of(0.1)]).await, 1);
    let large = |value: i128| ask("y").option("seed", value);
    assert_eq!(calls(&cache, &[large(i128::MAX), large(i128::MAX - 1), large(i128::MAX)]).await, 2);
    let too_large = ask("z").option("seed", u128::MAX);
    let error = cache.get_or_generate(&too_large, Control::new(), Model::default().says("x")).await;
    assert!(error.unwrap_err().is_validation());
}

/// What JSON libraries hand over for a number whose digits are kept, and for JSON that was not read.
struct Private(&'static str, &'static str);

impl serde::Serialize for Private {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut it = serializer.serialize_struct(self.0, 1)?;
        it.serialize_field(self.0, self.1)?;
        it.end()
    }
}

#[tokio::test]
async fn numbers_whose_digits_are_kept_are_numbers_and_raw_json_is_refused() {
    let cache = private(&FakeClock::new(), AiSettings::new());
    let digits = |text| ask("x").option("n", Private("$serde_json::private::Number", text));
    let one = [digits("1"), digits("1.0"), digits("1e0"), ask("x").option("n", 1)];
    assert_eq!(calls(&cache, &one).await, 1);
    let large =
        [digits("18446744073709551617"), digits("18446744073709551616"), digits("0.5"), digits("5e-1")];
    assert_eq!(calls(&cache, &large).await, 3);
    let not_exact = digits("123456789012345678901234567890123456789012345678901");
    let raw = ask("x").option("n", Private("$serde_json::private::RawValue", r#"{"a":1,"a":2}"#));
    for bad in [not_exact, digits("1e999"), digits("NaN"), raw] {
        let answer = cache.get_or_generate(&bad, Control::new(), Model::default().says("x")).await;
        assert!(answer.unwrap_err().is_validation());
    }
}

#[tokio::test]
async fn a_cache_that_only_replays_minds_what_requests_say() {
    let (clock, model) = (FakeClock::new(), Model::default());
    let varied = || AiSettings::new().operation("qa", OperationPolicy::new().repeat(Repeat::Samples(2)));
    let (cache, mut file) = (private(&clock, varied()), Vec::new());
    for says in ["0", "1"] {
        cache.get_or_generate(&ask("x"), Control::new(), model.says(says)).await.unwrap();
    }
    cache.export(&mut file).await.unwrap();
    let replay = private(&clock, varied().only_if_cached(true));
    replay.import(&*file, None).await.unwrap();
    for seed in [1, 1, 0] {
        let control = Control::new().sample(seed);
        let answer = replay.get_or_generate(&ask("x"), control, model.says("?")).await.unwrap();
        assert_eq!(**answer, *seed.to_string());
    }
    clock.advance(Duration::from_secs(60));
    for control in [Control::new().max_age(Duration::from_secs(59)), Control::refresh()] {
        let answer = replay.get_or_generate(&ask("x"), control.sample(0), model.says("?")).await;
        let too_old = answer.is_err_and(|error| error.downcast_ref::<NotCached>().is_some());
        assert_eq!(too_old, control != Control::refresh(), "{control:?}");
    }
    assert_eq!(model.calls(), 2);
}

#[tokio::test]
async fn vectors_of_different_dimensions_never_come_together() {
    let cache = private(&FakeClock::new(), AiSettings::new());
    let spec = EmbedSpec::new(Tenant::shared(), "e-1");
    let embed = async |texts: &[&str], dimensions: usize| {
        let embedder =
            move |texts: Vec<String>| async move { Loaded::Ok(vec![vec![0.5f32; dimensions]; texts.len()]) };
        cache.embed_many(&spec, texts, embedder).await
    };
    embed(&["a"], 2).await.unwrap();
    let error = embed(&["a", "b"], 3).await.unwrap_err();
    assert!(error.message().contains("dimensions"), "{error}");
    let unlike = |_| async { Loaded::Ok(vec![vec![1.0f32, f32::NAN]]) };
    assert!(cache.embed_many(&spec, &["c"], unlike).await.is_err(), "no number, no vector");
}

#[tokio::test]
async fn embeddings_that_must_not_be_repeated_are_not() {
    let policy = OperationPolicy::new().repeat(Repeat::Never);
    let cache = private(&FakeClock::new(), AiSettings::new().operation(EMBEDDING, policy));
    let model = Model::default();
    for _ in 0..2 {
        let asked = model.clone();
        let embedder = move |texts: Vec<String>| {
            asked.one();
            async move { Loaded::Ok(texts.iter().map(|text| vec![text.len() as f32]).collect::<Vec<_>>()) }
        };
        let spec = EmbedSpec::new(Tenant::shared(), "e-1");
        let vectors = cache.embed_many(&spec, &["aa", "b", "aa"], embedder).await.unwrap();
        assert_eq!(vectors.iter().map(|it| it[0]).collect::<Vec<_>>(), [2.0, 1.0, 2.0]);
    }
    assert_eq!((model.calls(), cache.cache().stats().memory_usage.entries), (2, 0));
}

#[tokio::test]
async fn answers_that_no_model_finished_are_not_kept_whatever_its_words() {
    for word in
        ["MAX_TOKENS", "SAFETY", "Length", "model_context_window_exceeded", "pause_turn", "in_progress"]
    {
        let cache = private(&FakeClock::new(), AiSettings::new());
        let body = json!({"choices": [{"message": {"content": "half an"}, "finish_reason": word}]});
        let generator = move || async move { Loaded::Ok(Chat(body)) };
        let answer = cache.complete(&ask("x"), Control::new(), generator).await.unwrap();
        assert!(answer.meta().refused.is_some(), "{word}");
        assert_eq!(cache.cache().stats().memory_usage.entries, 0, "{word}");
    }
    assert_eq!((Finish::of_word("STOP"), Finish::of_word("TOOL_CALLS")), (Finish::Stop, Finish::ToolCalls));
}

#[tokio::test]
async fn names_of_any_letters_are_told_apart() {
    let names = ["a:b", "a%3Ab", "a/b", "a b", "a\nb", "ä", "a\u{308}", "A", "~", "*", "{a}"];
    let cache = private(&FakeClock::new(), AiSettings::new());
    let of = |name: &str| {
        let tenant = AiRequest::new(Tenant::new(name).unwrap(), "qa").message("user", "x");
        let operation = AiRequest::new(acme(), name).message("user", "x");
        let model = ask("x").model(name);
        [tenant, operation, model]
    };
    let all: Vec<AiRequest> = names.iter().flat_map(|name| of(name)).collect();
    assert_eq!(calls(&cache, &all).await, all.len());
    assert_eq!(calls(&cache, &all).await, 0);
    let guide = shared(&cache);
    let _ = guide.cache_response("x", "qa", &(), &json!("of everybody")).await.unwrap();
    let other = cache.for_tenant(acme()).get_cached_response::<Value>("x", "qa", &()).await.unwrap();
    assert!(other.is_none());
}
