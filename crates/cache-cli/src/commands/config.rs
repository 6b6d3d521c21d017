//! `config check`: all that is wrong with a configuration file.

use std::path::Path;

use cache_factory::CacheConfig;
use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::out::{Level, Out, Page, Report};

#[derive(Serialize)]
struct Checked {
    file: String,
    problems: Vec<String>,
}

impl Report for Checked {
    fn show(&self, page: &mut Page) {
        if self.problems.is_empty() {
            page.judged(Level::Ok, &format!("{}: nothing is wrong", self.file));
        }
        for problem in &self.problems {
            page.judged(Level::Fail, problem);
        }
    }
}

pub(super) fn check(file: &Path, out: Out) -> Result<Exit, Failure> {
    let problems = CacheConfig::problems_of_file(file);
    let exit = if problems.is_empty() { Exit::Fine } else { Exit::Failed };
    out.report(&Checked { file: file.display().to_string(), problems })?;
    Ok(exit)
}

pub(super) fn schema(out: Out) -> Result<Exit, Failure> {
    let schema = CacheConfig::json_schema();
    out.print(&if out.is_json() { format!("{schema}\n") } else { format!("{schema:#}\n") })?;
    Ok(Exit::Fine)
}
