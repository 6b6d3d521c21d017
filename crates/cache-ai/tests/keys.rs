//! Different requests have different names, and the same request has one.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod common;

use std::collections::BTreeMap;

use cache_ai::{
    AiCache, AiRequest, AiSettings, Control, Digest, OperationPolicy, OptionKind, OptionSchema, Tenant,
};
use cache_testkit::FakeClock;
use common::{Model, acme, ask, private, shared};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value, json};

fn cache() -> AiCache {
    private(&FakeClock::new(), AiSettings::new())
}

/// What the cache answers to `second` after `first` was answered: whether it took them for one.
async fn are_one(cache: &AiCache, first: &AiRequest, second: &AiRequest) -> bool {
    let model = Model::default();
    cache.forget(first).await.unwrap();
    cache.forget(second).await.unwrap();
    cache.get_or_generate(first, Control::new(), model.says("first")).await.unwrap();
    let answer = cache.get_or_generate(second, Control::new(), model.says("second")).await.unwrap();
    assert_eq!(**answer == *"first", model.calls() == 1);
    model.calls() == 1
}

#[derive(Clone, Debug)]
struct Parts {
    tenant: Option<String>,
    operation: String,
    provider: String,
    model: String,
    snapshot: String,
    prompt_version: String,
    system: String,
    messages: Vec<(String, Value)>,
    tools: Vec<Value>,
    format: Option<Value>,
    options: BTreeMap<String, Value>,
    images: Vec<Vec<u8>>,
    guards: Vec<String>,
}

impl Parts {
    fn request(&self, backwards: bool) -> AiRequest {
        let tenant = self.tenant.as_ref().map_or(Tenant::shared(), |name| Tenant::new(name).unwrap());
        let mut request = AiRequest::new(tenant, &*self.operation)
            .provider(&self.provider)
            .model(&self.model)
            .snapshot(&self.snapshot)
            .prompt_version(&self.prompt_version)
            .system(&self.system);
        for (role, content) in &self.messages {
            request = request.message(role, turned(content, backwards));
        }
        for tool in &self.tools {
            request = request.tool(turned(tool, backwards));
        }
        if let Some(format) = &self.format {
            request = request.response_format(turned(format, backwards));
        }
        let mut options: Vec<_> = self.options.iter().collect();
        if backwards {
            options.reverse();
        }
        for (name, value) in options {
            request = request.option(name, turned(value, backwards));
        }
        for image in &self.images {
            request = request.attachment(Digest::of(image));
        }
        self.guards.iter().fold(request, |request, guard| request.guard(guard))
    }

    /// The same with one field changed.
    fn changed(&self, field: usize, at: &Index) -> Self {
        let mut it = self.clone();
        match field {
            0 => it.tenant = Some(format!("{}x", it.tenant.unwrap_or_default())),
            1 => it.operation.push('x'),
            2 => it.provider.push('x'),
            3 => it.model.push('x'),
            4 => it.snapshot.push('x'),
            5 => it.prompt_version.push('x'),
            6 => it.system.push(' '),
            7 => {
                let at = at.index(it.messages.len());
                it.messages[at].0.push('x');
            }
            8 => {
                let at = at.index(it.messages.len());
                it.messages[at].1 = nudged(&it.messages[at].1);
            }
            9 => it.messages.push(("user".into(), json!(""))),
            10 => it.tools.push(json!({})),
            11 => {
                let at = at.index(it.tools.len());
                it.tools[at] = nudged(&it.tools[at]);
            }
            12 => it.format = if it.format.is_some() { None } else { Some(json!({"type": "json"})) },
            13 => {
                it.options.insert("a new option".into(), Value::Null);
            }
            14 => {
                let name = it.options.keys().nth(at.index(it.options.len())).unwrap().clone();
                let value = nudged(&it.options[&name]);
                it.options.insert(name, value);
            }
            15 => {
                let at = at.index(it.images.len());
                it.images[at].push(0);
            }
            16 => it.images.push(vec![1]),
            17 => it.guards.push("g".into()),
            18 => it.guards.insert(0, "other".into()),
            _ => it.messages.swap_remove(0).0.clear(),
        }
        it
    }
}

/// Another value that differs in one place, deep inside if there is an inside.
fn nudged(value: &Value) -> Value {
    match value {
        Value::Null => json!(false),
        Value::Bool(flag) => json!(!flag),
        Value::Number(number) => json!(number.as_f64().unwrap() + 1.0),
        Value::String(text) => json!(format!("{text} ")),
        Value::Array(items) if items.is_empty() => json!([null]),
        Value::Array(items) => {
            let mut items = items.clone();
            let last = items.len() - 1;
            items[last] = nudged(&items[last]);
            Value::Array(items)
        }
        Value::Object(fields) if fields.is_empty() => json!({"x": null}),
        Value::Object(fields) => {
            let mut fields = fields.clone();
            let name = fields.keys().next().unwrap().clone();
            let value = nudged(&fields[&name]);
            fields.insert(name, value);
            Value::Object(fields)
        }
    }
}

/// An object whose fields come in the other order.
#[derive(Debug)]
struct Turned<'a>(&'a Value, bool);

fn turned(value: &Value, backwards: bool) -> Turned<'_> {
    Turned(value, backwards)
}

impl serde::Serialize for Turned<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(fields) => {
                let mut fields: Vec<_> =
                    fields.iter().map(|(name, value)| (name, Turned(value, self.1))).collect();
                if self.1 {
                    fields.reverse();
                }
                serializer.collect_map(fields)
            }
            Value::Array(items) => serializer.collect_seq(items.iter().map(|item| Turned(item, self.1))),
            other => other.serialize(serializer),
        }
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        (-1000i32..1000).prop_map(|n| json!(f64::from(n) / 8.0)),
        "[a-c{}:\"é]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-c]{0,2}", inner, 0..3)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

prop_compose! {
    fn parts()(
        tenant in prop::option::of("[a-z]{1,3}"),
        names in ["[a-z]{1,3}", "[a-z]{0,3}", "[a-z]{1,3}", "[a-z]{0,3}", "[a-z]{0,3}", "[a-z é]{0,9}"],
        messages in prop::collection::vec(("user|assistant", value()), 1..4),
        tools in prop::collection::vec(value(), 1..3),
        format in prop::option::of(value()),
        options in prop::collection::btree_map("[a-d]{1,2}", value(), 1..4),
        images in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..4), 1..3),
        guards in prop::collection::vec("[a-z]{1,3}", 0..3),
    ) -> Parts {
        let [operation, provider, model, snapshot, prompt_version, system] = names;
        Parts {
            tenant, operation, provider, model, snapshot, prompt_version, system, messages, tools, format, options,
            images, guards,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn requests_that_differ_in_one_field_never_share_an_answer(
        parts in parts(), field in 0usize..20, at in any::<Index>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (one, other) = (parts.request(false), parts.changed(field, &at).request(false));
        prop_assert!(!runtime.block_on(are_one(&cache(), &one, &other)), "field {field}");
    }

    #[test]
    fn the_same_request_in_another_field_order_always_does(parts in parts()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        prop_assert!(runtime.block_on(are_one(&cache(), &parts.request(false), &parts.request(true))));
    }

    #[test]
    fn bodies_that_differ_in_one_place_never_share_an_answer(fields in prop::collection::btree_map("[a-d]{1,2}", value(), 1..5)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let body = Value::Object(fields.into_iter().collect());
        let request = |body: Value| AiRequest::from_body(acme(), "chat", body);
        let one = request(body.clone());
        prop_assert!(!runtime.block_on(are_one(&cache(), &one, &request(nudged(&body)))));
        let noisy = { let mut body = body; body["stream"] = json!(true); body["request_id"] = json!("x"); body };
        prop_assert!(runtime.block_on(are_one(&cache(), &one, &request(noisy))), "noise is no part of the question");
    }
}

#[tokio::test]
async fn where_a_system_text_stands_among_the_messages_is_told_apart() {
    let base = || AiRequest::new(acme(), "qa");
    let all = [
        base().system("A").system("B").message("user", "x").message("user", "y"),
        base().system("A").message("user", "x").system("B").message("user", "y"),
        base().system("A").message("user", "x").message("user", "y").system("B"),
        base().message("user", "x").system("A").system("B").message("user", "y"),
        base().system("B").message("user", "x").system("A").message("user", "y"),
    ];
    for (at, first) in all.iter().enumerate() {
        for (other, second) in all.iter().enumerate() {
            assert_eq!(are_one(&cache(), first, second).await, at == other, "{at} {other}");
        }
    }
}

#[tokio::test]
async fn a_text_that_is_replaced_counts_for_nothing() {
    let cache = cache();
    let twice = AiRequest::new(acme(), "qa").text("a".repeat(400)).text("b".repeat(400));
    let got = cache.get_or_generate(&twice, Control::new(), Model::default().says("x")).await.unwrap();
    assert_eq!((got.meta().text_length, got.meta().text_tier), (400, cache_ai::TextTier::Small));
    assert!(are_one(&cache, &twice, &AiRequest::new(acme(), "qa").text("b".repeat(400))).await);
}

#[tokio::test]
async fn the_traps_of_option_encoding_are_none() {
    let cache = cache();
    let with = |options: Value| {
        options
            .as_object()
            .unwrap()
            .iter()
            .fold(ask("x"), |request, (name, value)| request.option(name, value))
    };
    for (a, b) in [
        (json!({"a": "1&b=2"}), json!({"a": 1, "b": 2})),
        (json!({"a": 1}), json!({"a": "1"})),
        (json!({"a": null}), json!({})),
        (json!({"a": [1, 2]}), json!({"a": "[1,2]"})),
        (json!({"a": {"b": 1}}), json!({"a": {"b": 1, "c": null}})),
        (json!({"a": 9_007_199_254_740_993_i64}), json!({"a": 9_007_199_254_740_992_i64})),
    ] {
        assert!(!are_one(&cache, &with(a.clone()), &with(b.clone())).await, "{a} {b}");
    }
    for (a, b) in [(json!({"a": 1}), json!({"a": 1.0})), (json!({"a": 0}), json!({"a": -0.0}))] {
        assert!(are_one(&cache, &with(a.clone()), &with(b.clone())).await, "{a} {b}");
    }
    let bad = ask("x").option("temperature", f64::NAN);
    let error = cache.get_or_generate(&bad, Control::new(), Model::default().says("x")).await.unwrap_err();
    assert!(error.is_validation(), "{error}");
    // Text is taken as it is.
    for (a, b) in [("Paris", "paris"), ("x", "x "), ("é", "e\u{301}")] {
        assert!(!are_one(&cache, &ask(a), &ask(b)).await, "{a} {b}");
    }
}

#[tokio::test]
async fn a_schema_says_what_an_absent_option_is() {
    let schema = OptionSchema::new()
        .option("max_length", OptionKind::Integer)
        .option_or("style", OptionKind::Text, "plain")
        .unwrap();
    let settings = AiSettings::new().operation("summarize", OperationPolicy::new().schema(schema));
    let cache = shared(&private(&FakeClock::new(), settings));
    let keep =
        async |options: Value| cache.cache_response("text", "summarize", &options, &json!("short")).await;
    let find = async |options: Value| {
        cache.get_cached_response::<Value>("text", "summarize", &options).await.unwrap().is_some()
    };
    let _ = keep(json!({"max_length": 100})).await.unwrap();
    assert!(find(json!({"max_length": 100.0, "style": "plain"})).await);
    assert!(!find(json!({"max_length": 101})).await && !find(json!({})).await);
    let error = keep(json!({"length": 100, "max_length": "100"})).await.unwrap_err();
    assert!(error.is_validation());
    for part in ["2 problems", "no option `length`, there are: max_length, style", "must be a whole number"] {
        assert!(error.message().contains(part), "{part} in {error}");
    }
    let explained = cache.explain("text", "summarize", &json!({"max_length": 100.0})).await.unwrap();
    assert_eq!(explained.options, r#"{"max_length":100,"style":"plain"}"#);
}

#[tokio::test]
async fn a_secret_changes_every_name_and_no_text_is_stored_if_that_is_wanted() {
    let clock = FakeClock::new();
    let explain = async |settings: AiSettings| {
        let cache = shared(&private(&clock, settings));
        cache.explain("my canary prompt", "qa", &()).await.unwrap()
    };
    let plain = explain(AiSettings::new()).await;
    assert!(plain.text_is_readable && plain.key.contains("my canary prompt"), "{}", plain.key);
    let one = explain(AiSettings::new().secret([1; 32])).await;
    let other = explain(AiSettings::new().secret([2; 32])).await;
    assert!(plain.digest != one.digest && one.digest != other.digest);
    for settings in [AiSettings::new().text_hash_threshold(0), AiSettings::new().store_no_request_text()] {
        let hidden = explain(settings).await;
        assert!(!hidden.text_is_readable && !hidden.key.contains("canary"), "{}", hidden.key);
    }
    assert!(!format!("{:?}", AiSettings::new().secret("a very secret thing")).contains("very secret"));
}

/// Two texts of equal XXH3-128, longer than 240 bytes, written by hand.
fn twins() -> (String, String) {
    // A lane adds to its sum the product of the two halves of what it reads, mixed with a secret, and to its neighbour's
    // sum what it reads. Where the lower halves of two stripes come out equal after the mixing, adding to the upper half
    // of the one what is taken from the other's changes neither sum.
    /// The secret of XXH3, as 192 bytes.
    const SECRET: &str = "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221\
         b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8\
         a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb\
         170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e";
    let secret: Vec<u8> =
        (0..192).map(|at| u8::from_str_radix(&SECRET[2 * at..2 * at + 2], 16).unwrap()).collect();
    let base = [b'a'; 512];
    for lane in 0..8 {
        for one in 0..6 {
            for other in one + 1..7 {
                let (a, b) = (64 * one + 8 * lane, 64 * other + 8 * lane);
                let (ka, kb) = (8 * one + 8 * lane, 8 * other + 8 * lane);
                let mut first = base;
                for at in 0..4 {
                    first[b + at] = first[a + at] ^ secret[ka + at] ^ secret[kb + at];
                }
                for at in 4..8 {
                    let both = |byte: u8, key: u8| byte & 1 == key & 1;
                    // Bits that the secret leaves as they are: one grows where the other shrinks.
                    if !both(0, secret[ka + at]) || !both(0, secret[kb + at]) {
                        continue;
                    }
                    first[a + at] = b'b' & !1;
                    first[b + at] = b'b' | 1;
                    let mut second = first;
                    second[a + at] += 1;
                    second[b + at] -= 1;
                    let texts = (String::from_utf8(first.to_vec()), String::from_utf8(second.to_vec()));
                    if let (Ok(first), Ok(second)) = texts {
                        let hash = |text: &str| xxhash_rust::xxh3::xxh3_128(text.as_bytes());
                        if first != second && hash(&first) == hash(&second) {
                            return (first, second);
                        }
                    }
                }
            }
        }
    }
    panic!("no twins were found");
}

#[tokio::test]
async fn texts_of_equal_xxh3_are_not_taken_for_one() {
    let (first, second) = twins();
    assert!(first.len() > 240 && first != second);
    assert!(!are_one(&cache(), &ask(&first), &ask(&second)).await);
    let cache = shared(&cache());
    let _ = cache.cache_response(&first, "qa", &(), &json!("first")).await.unwrap();
    assert!(cache.get_cached_response::<Value>(&second, "qa", &()).await.unwrap().is_none());
    let digest = async |text: &str| cache.explain(text, "qa", &()).await.unwrap().digest;
    assert_ne!(digest(&first).await, digest(&second).await);
}

/// What goes into a digest, laid out by hand: whoever changes it must raise the version, or answers are lost.
#[tokio::test]
async fn the_name_of_a_question_is_as_it_always_was() {
    let text = |it: &str| [b"s", &(it.len() as u64).to_be_bytes()[..], it.as_bytes()].concat();
    for question in ["Where is Paris?", &"x".repeat(3_000), &"x".repeat(50_000), &"x".repeat(300_000)] {
        let short = [
            b"\x02-".to_vec(),
            text("qa"),
            b"T{".to_vec(),
            text("length"),
            [b"i", &100i128.to_be_bytes()[..]].concat(),
            b"}t".to_vec(),
            (question.len() as u64).to_be_bytes().to_vec(),
        ]
        .concat();
        let whole = [&(short.len() as u64).to_be_bytes()[..], &short, question.as_bytes()].concat();
        let expected = [
            (AiSettings::new(), blake3::derive_key("cache-ai 2026 request", &whole)),
            (
                AiSettings::new().secret(b"a secret of 32 bytes and no less"),
                *blake3::keyed_hash(
                    &blake3::derive_key(
                        "cache-ai 2026 secret of the application",
                        b"a secret of 32 bytes and no less",
                    ),
                    &whole,
                )
                .as_bytes(),
            ),
        ];
        for (settings, digest) in expected {
            let cache = shared(&private(&FakeClock::new(), settings));
            let explained = cache.explain(question, "qa", &json!({"length": 100})).await.unwrap();
            assert_eq!(explained.digest.as_bytes(), &digest);
        }
    }
}
