//! `ai`: which answers of language models are stored, and what a hit of each spares.

use cache_factory::CacheFactory;
use cache_factory::ai::StoredAnswers;
use serde::Serialize;

use super::transfer::strict;
use crate::args::Global;
use crate::exit::{Exit, Failure};
use crate::out::{Level, Out, Page, Report};
use crate::{shown, target};

#[derive(Serialize)]
struct Answers {
    namespace: String,
    /// All of them together.
    answers: u64,
    input_tokens: u64,
    output_tokens: u64,
    milliseconds: u64,
    by: Vec<StoredAnswers>,
}

impl Report for Answers {
    fn show(&self, page: &mut Page) {
        let Self { namespace, answers, input_tokens, output_tokens, milliseconds, by } = self;
        if *answers == 0 {
            page.judged(Level::Ok, &format!("no answers of language models are stored in `{namespace}`"));
            return;
        }
        let tokens = input_tokens.saturating_add(*output_tokens) / answers;
        let time = shown::ms(milliseconds / answers);
        page.judged(
            Level::Ok,
            &format!(
                "{answers} answers in `{namespace}`: a hit spares {tokens} tokens and {time}, on average"
            ),
        );
        page.line("");
        page.table(
            ["OPERATION", "MODEL", "TENANT", "ANSWERS", "TOKENS IN", "TOKENS OUT", "MODEL TIME"],
            by.iter().map(|line| {
                [
                    shown::text(&line.operation),
                    line.model.as_deref().map_or_else(|| "-".into(), shown::text),
                    shown::text(&line.tenant),
                    line.answers.to_string(),
                    line.input_tokens.to_string(),
                    line.output_tokens.to_string(),
                    shown::ms(line.milliseconds),
                ]
            }),
        );
    }
}

pub(super) async fn run(global: &Global, out: Out) -> Result<Exit, Failure> {
    let cache = CacheFactory::new().ai_from_config(strict(target::store_config(global)?)).await?;
    let by = cache.stored_answers().await?;
    let sum = |number: fn(&StoredAnswers) -> u64| by.iter().map(number).fold(0, u64::saturating_add);
    out.report(&Answers {
        namespace: cache.cache().namespace().as_str().into(),
        answers: sum(|line| line.answers),
        input_tokens: sum(|line| line.input_tokens),
        output_tokens: sum(|line| line.output_tokens),
        milliseconds: sum(|line| line.milliseconds),
        by,
    })?;
    Ok(Exit::Fine)
}
