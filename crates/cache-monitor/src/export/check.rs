//! For tests: reads what is exported as strictly as a scraper does, and says what is wrong with it.

use std::collections::{BTreeMap, BTreeSet};

/// One line with a number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// Reads text in the format `OpenMetrics` 1.0.
pub(crate) fn read(text: &str) -> Result<Vec<Line>, String> {
    let body = text.strip_suffix("# EOF\n").ok_or("does not end in `# EOF`")?;
    let (mut lines, mut seen) = (Vec::new(), BTreeSet::new());
    let mut types: BTreeMap<String, String> = BTreeMap::new();
    let mut family = String::new();
    for line in body.split_terminator('\n') {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').ok_or("a type without a name")?;
            if types.insert(name.to_owned(), kind.to_owned()).is_some() {
                return Err(format!("{name} has two types"));
            }
            name.clone_into(&mut family);
        } else if line.strip_prefix("# HELP ").is_some() {
        } else if line.starts_with('#') || line.is_empty() {
            return Err(format!("an odd line: {line:?}"));
        } else {
            let line = sample(line)?;
            let kind = types.get(&family).ok_or("a number before its type")?;
            let suffix =
                line.name.strip_prefix(&family).ok_or_else(|| format!("{} in {family}", line.name))?;
            let allowed: &[&str] = match kind.as_str() {
                "counter" => &["_total"],
                "gauge" => &[""],
                "histogram" => &["_bucket", "_sum", "_count"],
                other => return Err(format!("an unknown type: {other}")),
            };
            if !allowed.contains(&suffix) {
                return Err(format!("{} of a {kind}", line.name));
            }
            if !seen.insert((line.name.clone(), line.labels.clone())) {
                return Err(format!("twice: {} {:?}", line.name, line.labels));
            }
            lines.push(line);
        }
    }
    histograms(&lines)?;
    Ok(lines)
}

fn sample(line: &str) -> Result<Line, String> {
    let end = line.find(['{', ' ']).ok_or_else(|| format!("no value: {line:?}"))?;
    let (name, mut rest) = line.split_at(end);
    let is_fine = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(is_fine) || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(format!("not a name: {name:?}"));
    }
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            if let Some(after) = rest.strip_prefix('}') {
                rest = after;
                break;
            }
            let (label, after) = rest.split_once("=\"").ok_or_else(|| format!("not a label: {rest:?}"))?;
            if !label.chars().all(is_fine) {
                return Err(format!("not the name of a label: {label:?}"));
            }
            let (value, after) = quoted(after)?;
            if labels.insert(label.to_owned(), value).is_some() {
                return Err(format!("a label twice: {label}"));
            }
            rest = after.strip_prefix(',').unwrap_or(after);
        }
    }
    let value = rest.strip_prefix(' ').ok_or_else(|| format!("no value: {line:?}"))?;
    let value = value.parse().map_err(|error| format!("{value:?}: {error}"))?;
    Ok(Line { name: name.to_owned(), labels, value })
}

/// The text up to the closing quote, and what follows.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let (mut value, mut chars) = (String::new(), text.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => match chars.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, c @ ('\\' | '"'))) => value.push(c),
                other => return Err(format!("an odd escape: {other:?}")),
            },
            c => value.push(c),
        }
    }
    Err("a text without an end".to_owned())
}

/// Buckets grow, the last one is infinite and is the count.
fn histograms(lines: &[Line]) -> Result<(), String> {
    type Series = (String, BTreeMap<String, String>);
    let mut buckets: BTreeMap<Series, Vec<(f64, f64)>> = BTreeMap::new();
    for line in lines.iter().filter(|line| line.name.ends_with("_bucket")) {
        let mut labels = line.labels.clone();
        let end = labels.remove("le").ok_or("a bucket without an end")?;
        let end = if end == "+Inf" { f64::INFINITY } else { end.parse().map_err(|_| format!("le={end}"))? };
        let name = line.name.trim_end_matches("_bucket").to_owned();
        buckets.entry((name, labels)).or_default().push((end, line.value));
    }
    for ((name, labels), buckets) in buckets {
        let grow = buckets.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 <= two[1].1);
        let count = lines.iter().find(|line| line.name == format!("{name}_count") && line.labels == labels);
        let last = buckets.last().copied();
        if !grow || last != count.map(|count| (f64::INFINITY, count.value)) {
            return Err(format!("the buckets of {name} {labels:?} are not right: {buckets:?}"));
        }
    }
    Ok(())
}

#[test]
fn what_is_wrong_is_seen() {
    let good = "# HELP a b\n# TYPE a counter\na_total{x=\"1\"} 2\n# EOF\n";
    assert_eq!(read(good).map(|lines| lines.len()), Ok(1));
    for (from, to) in [
        ("# EOF\n", ""),
        ("a_total{", "a{"),
        ("a_total{", "b_total{"),
        ("# TYPE a counter\n", ""),
        ("} 2", "}"),
        ("} 2", "} two"),
        ("\"1\"", "\"1"),
        ("\"1\"", "\"\\x\""),
        ("\"1\"", "\"1\",x=\"2\""),
        ("a_total{x=\"1\"} 2\n", "a_total{x=\"1\"} 2\na_total{x=\"1\"} 3\n"),
    ] {
        assert!(good.contains(from) && read(&good.replace(from, to)).is_err(), "{to}");
    }
    let bucket = |le: &str, n: u32| format!("a_bucket{{le=\"{le}\"}} {n}\n");
    let histogram = |buckets: String| format!("# TYPE a histogram\na_count 2\na_sum 1\n{buckets}# EOF\n");
    assert!(read(&histogram(bucket("1", 1) + &bucket("+Inf", 2))).is_ok());
    assert!(read(&histogram(bucket("1", 1))).is_err());
    assert!(read(&histogram(bucket("1", 3) + &bucket("+Inf", 2))).is_err());
    assert!(read(&histogram(bucket("1", 1) + &bucket("+Inf", 3))).is_err());
}
