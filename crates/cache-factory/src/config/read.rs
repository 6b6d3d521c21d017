//! From what a file or the environment says to a configuration, finding all that is wrong.

use cache_core::Problems;

use super::CacheConfig;
use super::allowed::Allowed;
use super::fields::{Fields, Table};
use super::meant::meant_here_or_elsewhere;
use super::tree::Tree;
use super::value::Setting;

/// The configuration, as far as it can be read. Says with its path what is unknown, given twice, or not of the type
/// that it should have; whether a value is in range is another question.
pub(crate) fn read(tree: Tree, problems: &mut Problems) -> CacheConfig {
    let mut config = CacheConfig::default();
    match tree {
        Tree::Table(entries) => visit(&mut config, entries, "", problems),
        Tree::Nothing => {}
        other => problems.add(format!("{} was given, a table is expected", other.what())),
    }
    config
}

fn visit(table: &mut impl Table, entries: Vec<(String, Tree)>, path: &str, problems: &mut Problems) {
    let mut reader = Reader { path, entries, known: Vec::new(), problems };
    table.visit(&mut reader);
    let Reader { entries, known, problems, .. } = reader;
    for (name, _) in entries {
        let hint = meant_here_or_elsewhere(&name, &known);
        problems.add(format!("{path}{name} is unknown, there are: {}{hint}", known.join(", ")));
    }
}

struct Reader<'a> {
    /// With a dot at its end, unless it is empty.
    path: &'a str,
    /// What nobody has asked for yet.
    entries: Vec<(String, Tree)>,
    known: Vec<&'static str>,
    problems: &'a mut Problems,
}

impl Reader<'_> {
    /// Takes out what is given under this name. What is explicitly nothing is not given.
    fn take(&mut self, name: &'static str) -> Option<Tree> {
        self.known.push(name);
        let mut taken = None;
        while let Some(at) = self.entries.iter().position(|(given, _)| given == name) {
            let (_, tree) = self.entries.remove(at);
            let path = self.path;
            self.problems.check(taken.is_none(), || format!("{path}{name} is given twice"));
            taken = Some(tree);
        }
        taken.filter(|tree| !matches!(tree, Tree::Nothing))
    }
}

impl Fields for Reader<'_> {
    fn field<T: Setting>(
        &mut self,
        name: &'static str,
        _: &'static str,
        allowed: &Allowed,
        slot: &mut Option<T>,
    ) {
        let Some(tree) = self.take(name) else { return };
        match T::read(tree) {
            Ok(value) => *slot = Some(value),
            Err(given) => {
                self.problems.add(format!("{}{name} is {given}, {allowed} is expected", self.path));
            }
        }
    }

    fn alias<T: Setting>(
        &mut self,
        name: &'static str,
        about: &'static str,
        allowed: &Allowed,
        slot: &mut Option<T>,
    ) {
        let (path, of) = (self.path, self.known.last().copied().unwrap_or_default());
        let mut own = None;
        self.field(name, about, allowed, &mut own);
        self.problems.check(own.is_none() || slot.is_none(), || {
            format!("{path}{name} and {path}{of} are one setting: leave out one of them")
        });
        *slot = slot.take().or(own);
    }

    fn table<T: Table>(&mut self, name: &'static str, _: &'static str, slot: &mut Option<T>) {
        match self.take(name) {
            None => {}
            Some(Tree::Table(entries)) => {
                let path = format!("{}{name}.", self.path);
                visit(slot.get_or_insert_default(), entries, &path, self.problems);
            }
            Some(other) => {
                self.problems.add(format!("{}{name} is {}, a table is expected", self.path, other.what()));
            }
        }
    }
}
