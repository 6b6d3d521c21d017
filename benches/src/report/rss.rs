//! What the process takes under hostile traffic.

use super::Section;
use super::lines::{Lines, name, number};
use super::table::{Table, digits};

/// One table.
pub fn section(lines: &Lines) -> Section {
    let mut table = Table::new(&[
        "crate",
        "seconds",
        "bound, MiB",
        "empty cache, MiB",
        "asked for at most, MiB",
        "resident at most, MiB",
        "asked for, to bound",
        "resident, to bound",
    ]);
    for line in lines.of("rss") {
        let mib = |field: &str| digits(number(line, field).map(|bytes| bytes / f64::from(1 << 20)), 1);
        table.row([
            name(line).to_owned(),
            line["seconds"].to_string(),
            mib("bound_bytes"),
            mib("tables_bytes"),
            mib("allocated_bytes"),
            mib("peak_bytes"),
            digits(number(line, "allocated_to_bound"), 3),
            digits(number(line, "ratio_to_bound"), 3),
        ]);
    }
    Section { text: format!("{}\n\n{}", lines.machine(), table.finish()), charts: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_as_mebibytes() {
        let text = "{\"bench\":\"rss\",\"crate\":\"x\",\"seconds\":60,\"bound_bytes\":268435456,\"tables_bytes\":1048576,\
                    \"allocated_bytes\":283115520,\"allocated_to_bound\":1.055,\"peak_bytes\":314572800,\"ratio_to_bound\":1.17}";
        let section = section(&Lines::read(text).unwrap());
        assert!(
            section.text.contains("| x | 60 | 256.0 | 1.0 | 270.0 | 300.0 | 1.055 | 1.170 |"),
            "{}",
            section.text
        );
    }
}
