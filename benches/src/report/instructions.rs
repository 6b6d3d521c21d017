//! Instructions of a call.

use super::Section;
use super::lines::{Lines, name, number};
use super::table::{Table, digits};
use crate::instructions::guest::{CASES, CONTENDERS};

/// One table.
pub fn section(lines: &Lines) -> Section {
    let mut table = Table::new(&["", "get_hit", "get_miss", "insert", "overwrite", "mix"]);
    for contender in CONTENDERS {
        let of = |case: &str| {
            let line = lines.of("instructions").find(|line| line["case"] == case && name(line) == *contender);
            digits(line.and_then(|line| number(line, "instructions_per_op")), 0)
        };
        table.row(std::iter::once((*contender).to_owned()).chain(CASES.iter().map(|case| of(case.name))));
    }
    Section { text: format!("{}\n\n{}", lines.machine(), table.finish()), charts: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_are_the_cases() {
        let text = "{\"bench\":\"instructions\",\"case\":\"mix\",\"crate\":\"cache-memory\",\"instructions_per_op\":321.4}";
        let section = section(&Lines::read(text).unwrap());
        assert!(section.text.contains("| cache-memory |  |  |  |  | 321 |"), "{}", section.text);
        let head: Vec<&str> = CASES.iter().map(|case| case.name).collect();
        assert!(section.text.contains(&head.join(" | ")));
    }
}
