//! The little that the writer asks of a file, so that a test can have one that fails.

use std::fs::File;
use std::io::{self, Write};

/// A file that is written at its end.
pub(super) trait Disk: Send + 'static {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Waits until what was written is on the disk.
    fn sync(&mut self) -> io::Result<()>;

    /// Takes off everything past `length` bytes.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

impl Disk for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}
