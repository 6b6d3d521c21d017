//! A file that is there when it is whole, and not before.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Beside its place until it is whole: what breaks off leaves nothing, and what was there before stays. What is no file, as
/// `/dev/stdout`, is written to as it is.
#[derive(Debug)]
pub(crate) struct Draft {
    place: PathBuf,
    overwrite: bool,
    writer: BufWriter<Target>,
}

#[derive(Debug)]
enum Target {
    Beside(NamedTempFile),
    Itself(File),
}

impl Draft {
    pub(crate) fn new(place: &Path, overwrite: bool) -> io::Result<Self> {
        let there = place.metadata().ok();
        let target = match &there {
            Some(_) if !overwrite => return Err(io::ErrorKind::AlreadyExists.into()),
            Some(there) if there.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Some(there) if !there.is_file() => Target::Itself(OpenOptions::new().write(true).open(place)?),
            _ => {
                let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty());
                Target::Beside(NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?)
            }
        };
        Ok(Self { place: place.to_owned(), overwrite, writer: BufWriter::new(target) })
    }

    /// Puts it in its place.
    pub(crate) fn finish(self) -> io::Result<()> {
        match self.writer.into_inner().map_err(io::IntoInnerError::into_error)? {
            Target::Itself(mut file) => file.flush(),
            Target::Beside(file) if self.overwrite => {
                file.persist(&self.place).map(drop).map_err(|it| it.error)
            }
            Target::Beside(file) => file.persist_noclobber(&self.place).map(drop).map_err(|it| it.error),
        }
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Beside(file) => file.write(bytes),
            Self::Itself(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Beside(file) => file.flush(),
            Self::Itself(file) => file.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_breaks_off_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("export.jsonl");
        let entries = || std::fs::read_dir(folder.path()).unwrap().count();
        let mut first = Draft::new(&place, false).unwrap();
        first.write_all(b"whole").unwrap();
        assert!(!place.exists(), "not before it is whole");
        first.finish().unwrap();
        assert_eq!(Draft::new(&place, false).unwrap_err().kind(), io::ErrorKind::AlreadyExists);

        let mut second = Draft::new(&place, true).unwrap();
        second.write_all(b"half").unwrap();
        drop(second);
        assert_eq!((std::fs::read_to_string(&place).unwrap().as_str(), entries()), ("whole", 1));

        let mut third = Draft::new(&place, true).unwrap();
        third.write_all(b"other").unwrap();
        third.finish().unwrap();
        assert_eq!((std::fs::read_to_string(&place).unwrap().as_str(), entries()), ("other", 1));
    }

    #[test]
    fn what_is_no_file_is_written_to_as_it_is_and_says_so_when_it_is_full() {
        let mut null = Draft::new(Path::new("/dev/null"), true).unwrap();
        null.write_all(b"x").unwrap();
        null.finish().unwrap();
        let mut full = Draft::new(Path::new("/dev/full"), true).unwrap();
        full.write_all(b"x").unwrap();
        assert!(full.finish().is_err());
        assert_eq!(Draft::new(Path::new("/tmp"), true).unwrap_err().kind(), io::ErrorKind::IsADirectory);
    }
}
