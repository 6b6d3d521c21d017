//! A terminal that is drawn on again and again.

use std::io::{self, IsTerminal, Write};

/// A screen of its own, without a cursor, on which long lines are cut.
const ENTER: &str = "\u{1b}[?1049h\u{1b}[?25l\u{1b}[?7l";
const LEAVE: &str = "\u{1b}[?7h\u{1b}[?25h\u{1b}[?1049l";

/// The terminal's other screen, as long as this lives: what was on it before comes back.
#[derive(Debug)]
pub(crate) struct Screen {
    has_colours: bool,
}

impl Screen {
    /// `None` if the output is no terminal, or one that cannot be drawn on.
    pub(crate) fn enter() -> io::Result<Option<Self>> {
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        if is_dumb || !io::stdout().is_terminal() {
            return Ok(None);
        }
        control(ENTER)?;
        let colours = anstream::AutoStream::choice(&io::stdout());
        Ok(Some(Self { has_colours: colours != anstream::ColorChoice::Never }))
    }

    /// Shows this and nothing else. Over what is there, so that nothing flickers.
    pub(crate) fn draw(&self, text: &str) -> io::Result<()> {
        if self.has_colours {
            return control(&drawn(text));
        }
        control(&drawn(&anstream::adapter::strip_str(text).to_string()))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing back.
        drop(control(LEAVE));
    }
}

/// Each line with what is right of it removed, and what is below.
fn drawn(text: &str) -> String {
    format!("\u{1b}[H{}\u{1b}[J", text.replace('\n', "\u{1b}[K\r\n"))
}

fn control(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// How a number went, one bar for each: the highest is full, zero is empty. What was not measured is a gap.
pub(crate) fn bars(numbers: impl Iterator<Item = Option<u64>> + Clone) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = numbers.clone().flatten().max().unwrap_or(0).max(1);
    let bar = |number: u64| {
        let eighth = u128::from(number) * 8 / u128::from(most);
        BARS[usize::try_from(eighth).map_or(0, |at| at.saturating_sub(1)).min(7)]
    };
    numbers.map(|number| number.map_or(' ', bar)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_high_as_the_numbers_are() {
        let of = |numbers: &[Option<u64>]| bars(numbers.iter().copied());
        assert_eq!(of(&[None, Some(0), Some(4), Some(8)]), " ▁▄█");
        assert_eq!(of(&[Some(0), Some(0)]), "▁▁");
        assert_eq!(of(&[Some(u64::MAX), Some(1)]), "█▁");
        assert_eq!(of(&[]), "");
    }

    #[test]
    fn a_line_replaces_the_one_that_was_there() {
        assert_eq!(drawn("a\nb\n"), "\u{1b}[Ha\u{1b}[K\r\nb\u{1b}[K\r\n\u{1b}[J");
    }
}
