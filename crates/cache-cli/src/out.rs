//! How reports are printed: tables for people, JSON for programs.

use std::io::Write;

use anstyle::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget};
use serde::Serialize;
use serde_json::json;

use crate::exit::{Exit, Failure};
use crate::shown;

/// What a command found. The two forms say the same.
pub(crate) trait Report: Serialize {
    /// For people.
    fn show(&self, page: &mut Page);
}

/// How something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Ok,
    Warn,
    Fail,
}

impl Level {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }

    fn style(self) -> Style {
        let color = match self {
            Self::Ok => AnsiColor::Green,
            Self::Warn => AnsiColor::Yellow,
            Self::Fail => AnsiColor::Red,
        };
        color.on_default()
    }
}

/// Text for people, line by line.
#[derive(Debug, Default)]
pub(crate) struct Page(String);

impl Page {
    pub(crate) fn line(&mut self, line: impl AsRef<str>) {
        self.0.push_str(line.as_ref());
        self.0.push('\n');
    }

    pub(crate) fn heading(&mut self, heading: &str) {
        let style = Style::new().bold();
        self.line(format!("{style}{heading}{style:#}"));
    }

    /// A line that starts with how something stands.
    pub(crate) fn judged(&mut self, level: Level, line: &str) {
        let style = level.style();
        self.line(format!("{style}{:<4}{style:#} {line}", level.word()));
    }

    pub(crate) fn table<const N: usize>(
        &mut self,
        head: [&str; N],
        rows: impl IntoIterator<Item = [String; N]>,
    ) {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(head);
        table.add_rows(rows);
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        for line in table.lines() {
            self.line(line.trim_end());
        }
    }

    /// Names and values, one a line.
    pub(crate) fn pairs<'a>(&mut self, pairs: impl IntoIterator<Item = (&'a str, String)>) {
        let pairs: Vec<_> = pairs.into_iter().collect();
        let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        for (name, value) in pairs {
            self.line(format!("{name:<width$}  {value}").trim_end());
        }
    }
}

/// Whoever reads what is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    Reads,
    /// Nobody does any more: the other end of the pipe is closed.
    HasSeenEnough,
}

/// Where everything is printed to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Out {
    json: bool,
}

impl Out {
    pub(crate) fn new(json: bool, no_color: bool) -> Self {
        if no_color {
            anstream::ColorChoice::Never.write_global();
        }
        Self { json }
    }

    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Prints a report. JSON takes one line.
    pub(crate) fn report(self, report: &impl Report) -> Result<Reader, Failure> {
        self.print(&self.text(report)?)
    }

    /// The report as it is printed.
    pub(crate) fn text(self, report: &impl Report) -> Result<String, Failure> {
        Ok(if self.json {
            let json = serde_json::to_string(report);
            let json = json.map_err(|error| Failure::failed(format!("the report is no JSON: {error}")))?;
            shown::json(&json) + "\n"
        } else {
            let mut page = Page::default();
            report.show(&mut page);
            page.0
        })
    }

    /// Prints a text as it is.
    pub(crate) fn print(self, text: &str) -> Result<Reader, Failure> {
        let mut stdout = anstream::stdout().lock();
        let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
        match written {
            Ok(()) => Ok(Reader::Reads),
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(Reader::HasSeenEnough),
            Err(error) => Err(Failure::failed(format!("nothing can be printed: {error}"))),
        }
    }

    /// Says on the other stream why a command failed.
    pub(crate) fn failure(self, failure: &Failure) -> Exit {
        if self.json {
            let mut error = json!({ "error": { "exit": failure.exit as u8, "message": failure.message } });
            if let Some(done) = failure.done {
                error["error"]["done"] = done.into();
            }
            anstream::eprintln!("{}", shown::json(&error.to_string()));
        } else {
            let style = Level::Fail.style();
            anstream::eprintln!("{style}error{style:#}: {}", shown::text(&failure.message));
        }
        failure.exit
    }

    /// A bar for work that takes long, on a terminal; nothing elsewhere.
    pub(crate) fn progress(self, total: u64, what: &'static str) -> ProgressBar {
        let target = if self.json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        ProgressBar::with_draw_target((total > 0).then_some(total), target).with_message(what)
    }
}
