//! Record once, replay in CI without a network: `cargo run --example ai_record_replay`.

use cache_factory::CacheFactory;
use cache_factory::ai::{AiRequest, Control, Finish, Generated, Loaded, NotCached, Tenant, Usage};
use cache_factory::durations::days;

type Failure = Box<dyn std::error::Error>;

/// What the application asks. In a test it is given a cache that never asks.
fn question(text: &str) -> AiRequest {
    AiRequest::new(Tenant::shared(), "qa").model("gpt-4o").message("user", text)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    println!("Recorded, with a model");
    let recording = CacheFactory::new().for_ai_app().memory_only().await?;
    for text in ["Where is Paris?", "Where is Rome?"] {
        let generator = move || async move {
            let answer = format!(
                "{} is where it always was.",
                text.trim_start_matches("Where is ").trim_end_matches('?')
            );
            Loaded::Ok(Generated::new(answer).usage(Usage::new(4, 8)).finish(Finish::Stop))
        };
        recording.get_or_generate(&question(text), Control::new(), generator).await?;
    }
    let mut file = Vec::new();
    let written = recording.export(&mut file).await?;
    println!("  {} answers, {} bytes", written.answers, file.len());

    println!("Replayed, without one");
    let replay = CacheFactory::new().for_ai_app().memory_only().ai(|ai| ai.only_if_cached(true)).await?;
    replay.import(file.as_slice(), Some(days(1))).await?;
    let never = || async { Err::<Generated<String>, _>("no model may be asked here") };
    for text in ["Where is Paris?", "Where is Rome?"] {
        println!("  {}", **replay.get_or_generate(&question(text), Control::new(), never).await?);
    }
    let new = replay.get_or_generate(&question("Where is Oslo?"), Control::new(), never).await;
    match new {
        Err(error) if error.downcast_ref::<NotCached>().is_some() => println!("  a new question: {error}"),
        other => return Err(format!("a question that was not recorded was answered: {other:?}").into()),
    }
    Ok(())
}
