//! What the programs wrote.

use serde_json::Value;

/// JSON objects, one for each thing measured.
#[derive(Debug, Default)]
pub struct Lines(Vec<Value>);

impl Lines {
    /// Reads one object a line.
    ///
    /// # Errors
    /// The line that is none.
    pub fn read(text: &str) -> Result<Self, String> {
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let lines = lines.map(|line| serde_json::from_str(line).map_err(|_| format!("no JSON: {line}")));
        lines.collect::<Result<_, _>>().map(Self)
    }

    /// Those of one bench, in the order in which they were written.
    pub fn of(&self, bench: &str) -> impl Iterator<Item = &Value> {
        self.0.iter().filter(move |line| line["bench"] == bench)
    }

    /// Those of one bench with so many threads.
    pub fn with_threads(&self, bench: &str, threads: u64) -> impl Iterator<Item = &Value> {
        self.of(bench).filter(move |line| line["threads"] == threads)
    }

    /// Where it was measured, in a sentence.
    pub fn machine(&self) -> String {
        let Some(machine) = self.of("machine").next() else { return String::new() };
        let text = |name: &str| machine[name].as_str().unwrap_or("unknown").to_owned();
        let (processor, system, rustc) = (text("processor"), text("system"), text("rustc"));
        let busy = match machine["load"].as_f64() {
            Some(load) if load >= 1.5 => format!(", busy with other things (load {load:.1})"),
            _ => String::new(),
        };
        format!("{processor}, {} cores, {system}, {rustc}{busy}.", machine["cores"])
    }
}

/// The name of the crate in a line.
pub fn name(line: &Value) -> &str {
    line["crate"].as_str().unwrap_or("")
}

/// A number in a line, if it is there.
pub fn number(line: &Value, field: &str) -> Option<f64> {
    line[field].as_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_by_bench_and_threads() {
        let text = "{\"bench\":\"a\",\"threads\":1,\"crate\":\"x\"}\n\n{\"bench\":\"a\",\"threads\":2,\"crate\":\"y\"}\n";
        let lines = Lines::read(text).unwrap();
        assert_eq!(lines.of("a").map(name).collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!(lines.with_threads("a", 2).map(name).collect::<Vec<_>>(), ["y"]);
        assert_eq!(lines.of("b").count(), 0);
        assert!(Lines::read("{}\nx").is_err());
    }

    #[test]
    fn the_machine_is_said_and_that_it_is_busy() {
        let with = |load: &str| {
            let text = "{\"bench\":\"machine\",\"processor\":\"P\",\"cores\":2,\"system\":\"S\",\"rustc\":\"R\",\"load\":L}";
            Lines::read(&text.replace('L', load)).unwrap().machine()
        };
        assert_eq!(with("0.4"), "P, 2 cores, S, R.");
        assert_eq!(with("5.25"), "P, 2 cores, S, R, busy with other things (load 5.2).");
    }
}
