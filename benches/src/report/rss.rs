//! What the process takes under hostile traffic.

use super::Section;
use super::lines::{Lines, number};
use super::table::{Table, digits};

/// One table.
pub fn section(lines: &Lines) -> Section {
    let mut table = Table::new(&["seconds", "bound, MiB", "empty cache, MiB", "peak, MiB", "peak to bound"]);
    for line in lines.of("rss") {
        let mib = |field: &str| digits(number(line, field).map(|bytes| bytes / f64::from(1 << 20)), 1);
        table.row([
            line["seconds"].to_string(),
            mib("bound_bytes"),
            mib("tables_bytes"),
            mib("peak_bytes"),
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
        let text = "{\"bench\":\"rss\",\"seconds\":60,\"bound_bytes\":268435456,\"tables_bytes\":1048576,\
                    \"peak_bytes\":314572800,\"ratio_to_bound\":1.17}";
        let section = section(&Lines::read(text).unwrap());
        assert!(section.text.contains("| 60 | 256.0 | 1.0 | 300.0 | 1.170 |"), "{}", section.text);
    }
}
