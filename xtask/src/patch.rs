//! The file of a break: what it protects, the command that must turn red, and the change that removes the protection.

/// A break, read from `tests/breaks/NN-name.patch`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Break {
    /// The name of the file, without its end.
    pub(crate) name: String,
    /// A sentence.
    pub(crate) protects: String,
    /// Arguments of cargo, `test` first.
    pub(crate) test: Vec<String>,
}

impl Break {
    /// Reads the lines before the change.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self, String> {
        let numbered = name.split_once('-').is_some_and(|(number, rest)| {
            (2..=3).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit()) && !rest.is_empty()
        });
        if !numbered {
            return Err(format!("it is called `{name}`, `NN-name` or `NNN-name` is the form"));
        }
        let is_change = |line: &&str| line.starts_with("diff ") || line.starts_with("--- ");
        let header: Vec<&str> = text.lines().take_while(|line| !is_change(line)).collect();
        if header.len() == text.lines().count() {
            return Err("there is no change in it".into());
        }
        let field = |name: &str| {
            let value =
                header.iter().find_map(|line| line.strip_prefix(name)).map(str::trim).unwrap_or_default();
            if value.is_empty() {
                Err(format!("no line before the change starts with `{name}`"))
            } else {
                Ok(value)
            }
        };
        let protects = field("Protects:")?.to_owned();
        let test = field("Test:")?;
        let mut words = test.split_whitespace();
        if (words.next(), words.next()) != (Some("cargo"), Some("test")) {
            return Err(format!("its test is `{test}`, a command that starts with `cargo test` is wanted"));
        }
        let test = test.split_whitespace().skip(1).map(str::to_owned).collect();
        Ok(Self { name: name.to_owned(), protects, test })
    }

    /// The arguments that only build the test.
    pub(crate) fn build(&self) -> Vec<String> {
        let mut arguments: Vec<String> = self.test.iter().take_while(|word| *word != "--").cloned().collect();
        arguments.push("--no-run".into());
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "Protects: a key is never empty.\nTest: cargo test -p cache-core --lib key -- --exact x\n\ndiff --git a/x b/x\n";

    #[test]
    fn the_header_is_read() {
        let parsed = Break::parse("01-empty-key", GOOD).unwrap();
        assert_eq!(parsed.protects, "a key is never empty.");
        assert_eq!(parsed.test.join(" "), "test -p cache-core --lib key -- --exact x");
        assert_eq!(parsed.build().join(" "), "test -p cache-core --lib key --no-run");
    }

    #[test]
    fn what_is_missing_is_said() {
        let says = |name: &str, text: &str| Break::parse(name, text).unwrap_err();
        assert!(says("empty-key", GOOD).contains("NN-name"));
        assert!(says("01-x", "Test: cargo test\ndiff --git a/x b/x\n").contains("Protects:"));
        assert!(says("01-x", "Protects: y\ndiff --git a/x b/x\n").contains("Test:"));
        assert!(says("01-x", "Protects: y\nTest: make\ndiff --git a/x b/x\n").contains("cargo test"));
        assert!(says("01-x", "Protects: y\nTest: cargo test\n").contains("no change"));
        assert!(says("01-x", "diff --git a/x b/x\nProtects: y\nTest: cargo test\n").contains("Protects:"));
    }
}
