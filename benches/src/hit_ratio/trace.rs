//! Requests in the order in which they came.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::contenders::Hasher;

/// Keys, one a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// As it is called in reports.
    pub name: String,
    /// The keys as they were given.
    pub keys: Vec<u64>,
    /// Goes round and round through more than a cache holds. Reported apart: what is good for loops is bad for most
    /// else.
    pub is_loop: bool,
}

/// A trace whose keys are numbered from 0 up, for tables in place of maps.
#[derive(Debug)]
pub struct Numbered {
    /// The number of each request's key.
    pub keys: Vec<u32>,
    /// How many keys there are.
    pub distinct: usize,
}

impl Trace {
    /// Reads one decimal key a line, from plain text or gzip, whatever the file is called.
    ///
    /// # Errors
    /// What is wrong with the file, and in which line.
    pub fn read(path: &Path) -> Result<Self, String> {
        let problem = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let mut file = BufReader::new(File::open(path).map_err(|error| problem(&error))?);
        let is_gzip = file.fill_buf().map_err(|error| problem(&error))?.starts_with(&[0x1F, 0x8B]);
        let text: Box<dyn Read> = if is_gzip { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
        let keys = keys(BufReader::new(text)).map_err(|error| problem(&error))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.trim_end_matches(".gz").trim_end_matches(".txt").to_owned();
        Ok(Self { name, keys, is_loop: false })
    }

    /// With its keys numbered in the order in which they come first.
    pub fn numbered(&self) -> Numbered {
        let mut numbers: HashMap<u64, u32, Hasher> = HashMap::default();
        let number = |&key| {
            let next = numbers.len() as u32;
            *numbers.entry(key).or_insert(next)
        };
        let keys = self.keys.iter().map(number).collect();
        Numbered { keys, distinct: numbers.len() }
    }
}

fn keys(text: impl BufRead) -> Result<Vec<u64>, String> {
    let mut keys = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.map_err(|error| error.to_string())?;
        let line = line.trim();
        if !line.is_empty() {
            let key = line.parse().map_err(|_| format!("line {}: `{line}` is no decimal key", at + 1))?;
            keys.push(key);
        }
    }
    if keys.is_empty() { Err("there is no key in it".into()) } else { Ok(keys) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn a_key_a_line_is_read_and_anything_else_refused_with_its_line() {
        assert_eq!(keys(&b"7\n 18446744073709551615\r\n\n7"[..]), Ok(vec![7, u64::MAX, 7]));
        assert_eq!(keys(&b"7\n-1\n"[..]), Err("line 2: `-1` is no decimal key".into()));
        assert!(keys(&b"\n"[..]).is_err());
    }

    #[test]
    fn plain_and_packed_files_read_alike() {
        let folder = std::env::temp_dir().join(format!("hit-ratio-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (plain, packed) = (folder.join("a.txt"), folder.join("b.txt.gz"));
        std::fs::write(&plain, "5\n6\n5\n").unwrap();
        let mut encoder = GzEncoder::new(File::create(&packed).unwrap(), Compression::fast());
        encoder.write_all(b"5\n6\n5\n").unwrap();
        encoder.finish().unwrap();
        let (plain, packed) = (Trace::read(&plain), Trace::read(&packed));
        std::fs::remove_dir_all(&folder).unwrap();
        let trace = |name: &str| Trace { name: name.into(), keys: vec![5, 6, 5], is_loop: false };
        assert_eq!((plain, packed), (Ok(trace("a")), Ok(trace("b"))));
        assert!(Trace::read(&folder.join("none")).unwrap_err().contains("none: "));
    }

    #[test]
    fn keys_are_numbered_as_they_come() {
        let trace = Trace { name: String::new(), keys: vec![9, 4, 9, u64::MAX], is_loop: false };
        let numbered = trace.numbered();
        assert_eq!((numbered.keys, numbered.distinct), (vec![0, 1, 0, 2], 3));
    }
}
