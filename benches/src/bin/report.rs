//! Writes what was measured into `docs/performance.md`: `report SECTION COMMAND FILE...`. Called by
//! `cargo xtask bench … --report`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use benches::report::lines::Lines;
use benches::report::{page, section};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), String> {
    let [name, command, files @ ..] = arguments else { return Err("report SECTION COMMAND FILE...".into()) };
    let mut text = String::new();
    for file in files {
        text += &read(Path::new(file))?;
    }
    let section = section(name, &Lines::read(&text)?)?;
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let path = docs.join("performance.md");
    let text = format!("`{command}` on {}", section.text);
    write(&path, &page::replaced(&read(&path)?, name, &text)?)?;
    for (file, svg) in &section.charts {
        write(&docs.join("performance").join(file), svg)?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &PathBuf, text: &str) -> Result<(), String> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    eprintln!("wrote {}", path.file_name().unwrap_or_default().to_string_lossy());
    Ok(())
}
