//! A buffer that refuses to grow past a bound.

use std::io;

use bytes::Bytes;

/// Takes in what a serializer writes, up to a number of bytes.
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    max: usize,
    overflown: bool,
}

impl Buffer {
    pub(crate) fn new(max: usize) -> Self {
        Self { bytes: Vec::new(), max, overflown: false }
    }

    /// Whether more was written than the bound allows.
    pub(crate) fn overflown(&self) -> bool {
        self.overflown
    }

    /// What was written, in an allocation of just that size, because tier 1 may keep it for long.
    pub(crate) fn into_bytes(self) -> Bytes {
        Bytes::from(self.bytes.into_boxed_slice())
    }
}

impl io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() > self.max - self.bytes.len() {
            self.overflown = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
