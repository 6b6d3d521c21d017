//! Tables in Markdown.

/// Rows of cells below a head. Cells after the first are aligned to the right.
#[derive(Debug)]
pub struct Table {
    columns: usize,
    text: String,
}

impl Table {
    /// With these columns.
    pub fn new(head: &[&str]) -> Self {
        let mut table = Self { columns: head.len(), text: String::new() };
        table.row(head.iter().map(|cell| (*cell).to_owned()));
        table.text += "|---|";
        table.text += &"---:|".repeat(head.len().saturating_sub(1));
        table.text.push('\n');
        table
    }

    /// One row more; what is missing is empty.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells: Vec<String> =
            cells.into_iter().chain(std::iter::repeat(String::new())).take(self.columns).collect();
        self.text += &format!("| {} |\n", cells.join(" | "));
    }

    /// The table.
    pub fn finish(self) -> String {
        self.text
    }
}

/// A number with so many digits after the point, nothing if there is none.
pub fn digits(number: Option<f64>, digits: usize) -> String {
    number.map_or_else(String::new, |number| format!("{number:.digits$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_as_many_cells_as_the_head() {
        let mut table = Table::new(&["crate", "ns"]);
        table.row(["a".to_owned(), digits(Some(1.25), 1), "more".to_owned()]);
        table.row(["b".to_owned()]);
        assert_eq!(table.finish(), "| crate | ns |\n|---|---:|\n| a | 1.2 |\n| b |  |\n");
    }
}
