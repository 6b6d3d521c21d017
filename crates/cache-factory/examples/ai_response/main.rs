//! The guide's AI example, and the same with a model: `cargo run --example ai_response`.
//!
//! The model is a stand-in on this machine, the client is the real one. Runs in memory first and then on a Redis server of
//! its own. Ends with an error if a step is not as it should be.

#[path = "../places/mod.rs"]
mod places;
mod stand_in;

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use cache_factory::CacheFactory;
use cache_factory::ai::{AiCache, CachedOpenAi, PriceTable, Replay, Tenant};
use cache_factory::durations::secs;
use cache_testkit::redis::{Options, RedisServer};
use futures_util::StreamExt;
use places::{Failure, check};
use serde_json::{Value, json};
use stand_in::StandIn;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let prices = || PriceTable::new("USD").model("gpt-4o", 2_500.0, 10_000.0);

    println!("In memory");
    show(CacheFactory::new().for_ai_app().memory_only().ai(move |ai| ai.prices(prices())).await?).await?;

    let server = RedisServer::launch(&Options::new())?;
    println!("\nOn Redis {} ({:?})", server.version(), server.way());
    let setup = CacheFactory::new().for_ai_app().redis_url(server.url()).connect_timeout(secs(5));
    show(setup.fail_on_connection_error(true).ai(move |ai| ai.prices(prices())).await?).await
}

async fn show(cache: AiCache) -> Result<(), Failure> {
    println!("  The guide's calls");
    let guide = cache.for_tenant(Tenant::shared());
    let (text, options) = ("Analyze this document...", json!({"max_length": 100}));
    let response = json!({"summary": "Brief overview..."});
    println!("    {:?}", guide.cache_response(text, "summarize", &options, &response).await?);
    let cached = guide.get_cached_response::<Value>(text, "summarize", &options).await?;
    let cached = cached.ok_or("the answer is not there")?;
    println!("    {} from {:?}, {:?} text", **cached, cached.meta().tier, cached.meta().text_tier);
    println!("    key {}", guide.explain(text, "summarize", &options).await?.key);

    println!("  A model");
    let (model, address) = StandIn::start().await?;
    let config = OpenAIConfig::new().with_api_base(format!("http://{address}/v1")).with_api_key("none");
    let of = |tenant: Tenant| {
        CachedOpenAi::new(Client::with_config(config.clone()), cache.clone(), tenant, "support")
    };
    let (acme, other) = (of(Tenant::new("acme")?), of(Tenant::new("other")?));
    let body = json!({
        "model": "gpt-4o", "temperature": 0,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where is my parcel?"}],
    });
    for (who, client, asked) in [("first", &acme, 1), ("second", &acme, 1), ("another tenant's", &other, 2)] {
        let answer = client.chat(&body).await?;
        println!("    {who} call: {:?} {:?}", answer.meta().source, answer.text());
        check(model.asked() == asked, "the model was asked another number of times")?;
    }

    println!("  A stream, and its replay");
    let question = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "And the weather there?"}],
        "tools": [{"type": "function", "function": {"name": "weather"}}]});
    let mut seen = Vec::new();
    for _ in 0..2 {
        let stream = acme.chat_stream(&question, Replay::AtOnce).await?;
        let source = stream.source();
        let events: Vec<Value> = stream
            .map(|event| event.map(|event| (*event).clone()))
            .collect::<Vec<_>>()
            .await
            .into_iter()
            .collect::<Result<_, _>>()?;
        println!("    {source:?}: {} events", events.len());
        seen.push(events);
        settled(&cache).await;
    }
    check(seen[0] == seen[1] && model.asked() == 3, "the replay is another")?;

    println!("  Embeddings");
    acme.embed("text-embedding-3-small", None, &["one", "three"]).await?;
    let vectors = acme.embed("text-embedding-3-small", None, &["three", "two", "one", "three"]).await?;
    check(vectors[0] == vectors[3] && model.asked() == 5, "a text was asked for twice")?;
    println!("    {} texts, the last two batches asked the model for one text", vectors.len());

    println!("  The saving");
    let ledger = cache.ledger();
    for line in &ledger.lines {
        println!(
            "    {:<10} {:<24} {:<8} {} calls saved, {} made, {:.4} {} saved",
            line.operation,
            line.model.as_deref().unwrap_or("-"),
            line.tenant,
            line.sums.calls_saved,
            line.sums.calls_made,
            line.sums.money_saved,
            ledger.currency,
        );
    }
    check(ledger.total.calls_saved >= 4 && ledger.total.money_saved > 0.0, "nothing was saved")
}

/// Waits until what was streamed is kept.
async fn settled(cache: &AiCache) {
    while cache.cache().stats().loads.in_flight > 0 {
        tokio::task::yield_now().await;
    }
}
