//! `invalidate`: looks first at what would be gone, and removes it only when told to.

use std::io::{BufRead, IsTerminal, Write};

use cache_core::{Key, Mark, RemoveIf, Store};
use cache_factory::ai::Which;
use serde::Serialize;

use crate::args::{InvalidateArgs, Target as Kind};
use crate::entry::{Entry, State};
use crate::exit::{Exit, Failure};
use crate::out::{Level, Out, Page, Report};
use crate::shown;
use crate::target::Target;
use crate::walk::Keys;

/// Keys that are shown of those that it is about.
const SAMPLE: usize = 10;

#[derive(Debug, Serialize)]
struct Invalidated {
    namespace: String,
    by: &'static str,
    of: String,
    /// Entries that it is about.
    count: usize,
    /// Some of their keys.
    sample: Vec<String>,
    /// Whether there may be more: not every key was looked at.
    more: bool,
    /// Why the cache counts as production, if it does.
    production: Option<String>,
    /// Whether it was done.
    applied: bool,
    /// Whether it was done for a part only, since not every key was looked at.
    more_are_left: bool,
}

impl Report for Invalidated {
    fn show(&self, page: &mut Page) {
        let more = if self.more && !self.more_are_left { " or more" } else { "" };
        let (is, of) =
            (if self.applied { "invalidated" } else { "would be invalidated" }, shown::text(&self.of));
        let level = match (self.applied, self.more_are_left) {
            (_, true) => Level::Fail,
            (true, false) => Level::Ok,
            (false, false) => Level::Warn,
        };
        page.judged(
            level,
            &format!("{}{more} entries of `{}` {is} by {} `{of}`", self.count, self.namespace, self.by),
        );
        self.sample.iter().for_each(|key| page.line(format!("     {}", shown::text(key))));
        if self.count > self.sample.len() {
            page.line(format!("     ... and {} more", self.count - self.sample.len()));
        }
        if let (Some(why), false) = (&self.production, self.applied) {
            page.line(format!("     a production cache: {why}"));
        }
        if self.more_are_left {
            page.line("more are left: run it again, or raise --limit");
        }
        if !self.applied {
            page.line("nothing was changed: --apply does it");
        }
    }
}

pub(super) async fn run(target: &Target, args: &InvalidateArgs, out: Out) -> Result<Exit, Failure> {
    let plan = Plan::of(args)?;
    let (keys, more) = plan.about(target, args, out).await?;
    let mut report = Invalidated {
        namespace: target.namespace().as_str().into(),
        by: plan.word(),
        of: args.value.clone(),
        count: keys.len(),
        sample: keys.iter().take(SAMPLE).cloned().collect(),
        more,
        production: target.production.clone(),
        applied: false,
        more_are_left: false,
    };
    if !args.apply {
        out.report(&report)?;
        return Ok(Exit::Fine);
    }
    may_apply(&report, args, out).await?;
    plan.apply(target, &keys, out).await?;
    report.applied = true;
    report.more_are_left = more && !plan.is_whole();
    out.report(&report)?;
    Ok(if report.more_are_left { Exit::Failed } else { Exit::Fine })
}

/// What is to be done.
enum Plan {
    Key(String),
    Pattern(String),
    /// The word that the user gave it by, and the tag.
    Tag(&'static str, String),
}

impl Plan {
    fn of(args: &InvalidateArgs) -> Result<Self, Failure> {
        let value = args.value.clone();
        Ok(match args.by {
            Kind::Key => Self::Key(value),
            Kind::Pattern => Self::Pattern(value),
            Kind::Tag => {
                Mark::tag(&value)?;
                Self::Tag("tag", value)
            }
            Kind::Operation => Self::Tag("operation", Which::Operation(value).tag()),
        })
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Key(_) => "key",
            Self::Pattern(_) => "pattern",
            Self::Tag(word, _) => word,
        }
    }

    /// Whether it concerns all entries, also those that were not looked at.
    fn is_whole(&self) -> bool {
        matches!(self, Self::Tag(..))
    }

    /// The keys that it is about, and whether there may be more.
    async fn about(
        &self,
        target: &Target,
        args: &InvalidateArgs,
        out: Out,
    ) -> Result<(Vec<String>, bool), Failure> {
        let bar = out.progress(0, "keys");
        let (keys, more) = match self {
            Self::Key(key) => {
                let entry = Entry::read(target, &target.key(key)?).await?;
                (entry.map(|entry| entry.key).into_iter().collect(), false)
            }
            Self::Pattern(pattern) => {
                let keys = Keys::matching(target, pattern, args.limit, &bar).await?;
                (keys.found, keys.more)
            }
            Self::Tag(_, tag) => {
                let keys = Keys::matching(target, "*", args.limit, &bar).await?;
                let mut tagged = Vec::new();
                keys.each(target, &bar, |key, entry| {
                    if entry.state != State::Invalidated && entry.tags().contains(tag) {
                        tagged.push(key.user().to_owned());
                    }
                })
                .await?;
                (tagged, keys.more)
            }
        };
        bar.finish_and_clear();
        Ok((keys, more))
    }

    async fn apply(&self, target: &Target, keys: &[String], out: Out) -> Result<(), Failure> {
        let store = target.store();
        if let Self::Tag(_, tag) = self {
            // Also if nothing has the tag: what is being loaded just now may.
            store.bump_mark(target.namespace(), &Mark::tag(tag)?).await?;
            return Ok(());
        }
        let bar = out.progress(keys.len() as u64, "removed");
        for (key, done) in keys.iter().zip(0..) {
            let key: Key = target.key(key)?;
            let removed = store.remove(&key, RemoveIf::Always).await;
            removed.map_err(|error| Failure::from(error).after(done, keys.len() as u64, "invalidated"))?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(())
    }
}

/// Whether somebody said that it shall be done.
async fn may_apply(report: &Invalidated, args: &InvalidateArgs, out: Out) -> Result<(), Failure> {
    if args.yes {
        return Ok(());
    }
    if let Some(why) = &report.production {
        return Err(Failure::bad_use(format!(
            "a production cache ({why}): --apply needs --yes; nothing was changed"
        )));
    }
    if out.is_json() || !std::io::stdin().is_terminal() {
        return Err(Failure::bad_use("nobody can be asked: --apply needs --yes here; nothing was changed"));
    }
    out.report(report)?;
    out.print("type `yes` to do it: ")?;
    // Not on this thread: the connection needs it.
    let answer = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        std::io::stdout()
            .flush()
            .and_then(|()| std::io::stdin().lock().read_line(&mut answer))
            .map(|_| answer)
    });
    match answer.await {
        Ok(Ok(answer)) if answer.trim() == "yes" => Ok(()),
        _ => Err(Failure::failed("it was not confirmed; nothing was changed")),
    }
}
