//! Measurements as a part of the documentation, so that its numbers are those of a command.

pub mod ai;
pub mod chart;
pub mod hit_ratio;
pub mod instructions;
pub mod l1;
pub mod lines;
pub mod page;
pub mod rss;
pub mod table;

use lines::Lines;

/// What a section is made of: text for the page, and charts with their file names.
#[derive(Debug, Default)]
pub struct Section {
    /// Markdown.
    pub text: String,
    /// Name of the file below `docs/performance`, and the picture.
    pub charts: Vec<(String, String)>,
}

/// Makes the section of this name.
///
/// # Errors
/// If there is no such section.
pub fn section(name: &str, lines: &Lines) -> Result<Section, String> {
    match name {
        "ai" => Ok(ai::section(lines)),
        "l1" => Ok(l1::section(lines)),
        "instructions" => Ok(instructions::section(lines)),
        "hit-ratio" => Ok(hit_ratio::section(lines)),
        "rss" => Ok(rss::section(lines)),
        other => Err(format!("there is no section `{other}`")),
    }
}
