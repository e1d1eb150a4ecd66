//! Everything that is printed goes through here: results to standard output, problems to standard error.
//!
//! A reader that goes away, as in `firedrill run | head -1`, is no error: what it would have read is dropped, and the
//! verdict and the exit code are as they would have been. Any other failure to write is told at the end, once.

use std::fmt::Display;
use std::io::{self, BufWriter, ErrorKind, Stderr, Stdout, Write};

use anstream::{AutoStream, ColorChoice};
use anstyle::Style;
use firedrill_yaml::Problem;

use crate::args::Color;

pub(crate) struct Out {
    stdout: BufWriter<AutoStream<Stdout>>,
    stderr: AutoStream<Stderr>,
    color: bool,
    color_of_problems: bool,
    width: Option<usize>,
    /// Whether anything was printed yet.
    begun: bool,
    broken: Option<io::Error>,
}

impl Out {
    pub(crate) fn new(color: Color) -> Self {
        let choice = |auto: ColorChoice| match color {
            Color::Auto => auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        let for_stdout = choice(AutoStream::choice(&io::stdout()));
        let for_stderr = choice(AutoStream::choice(&io::stderr()));
        Self {
            stdout: BufWriter::new(AutoStream::new(io::stdout(), for_stdout)),
            stderr: AutoStream::new(io::stderr(), for_stderr),
            color: for_stdout != ColorChoice::Never,
            color_of_problems: for_stderr != ColorChoice::Never,
            width: terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| width.0.into()),
            begun: false,
            broken: None,
        }
    }

    /// Whether results are coloured.
    pub(crate) fn color(&self) -> bool {
        self.color
    }

    /// How many columns the terminal has; `None` if results do not go to one.
    pub(crate) fn width(&self) -> Option<usize> {
        self.width
    }

    /// Whether nobody reads the results any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.broken.is_some()
    }

    /// `text`, styled if results are coloured.
    pub(crate) fn paint(&self, style: Style, text: &str) -> String {
        if self.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// Prints a line.
    pub(crate) fn line(&mut self, line: impl Display) {
        // A failure is kept for `finish`.
        let _ = writeln!(self, "{line}");
    }

    /// Prints a line, or several, with an empty one before it unless it is the first.
    pub(crate) fn paragraph(&mut self, text: impl Display) {
        if self.begun {
            self.line("");
        }
        self.line(text);
    }

    /// Prints a text that ends its own lines.
    pub(crate) fn text(&mut self, text: &str) {
        let _ = self.write_all(text.as_bytes());
    }

    /// Makes sure that what was printed so far is seen.
    pub(crate) fn show(&mut self) {
        let _ = self.flush();
    }

    /// Prints a problem of the command itself, to standard error.
    pub(crate) fn problem(&mut self, problem: &Problem) {
        let text = problem.render(None, self.color_of_problems);
        self.complain(&text);
    }

    /// Prints a text that was made for standard error.
    pub(crate) fn complain(&mut self, text: &str) {
        self.show();
        // If even that cannot be written there is nobody left to tell.
        let _ = writeln!(self.stderr, "{text}");
    }

    /// Whether what goes to standard error is coloured.
    pub(crate) fn color_of_problems(&self) -> bool {
        self.color_of_problems
    }

    /// Prints what is left.
    ///
    /// # Errors
    /// Why not everything could be printed, unless its reader just went away.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.show();
        match self.broken.take() {
            Some(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }

    fn keep<T>(&mut self, written: io::Result<T>) -> io::Result<T> {
        written.map_err(|error| {
            let kind = error.kind();
            if kind != ErrorKind::Interrupted {
                self.broken.get_or_insert(error);
            }
            kind.into()
        })
    }
}

/// After the first failure everything fails at once, so that whoever writes much may stop.
impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_closed() {
            return Err(ErrorKind::BrokenPipe.into());
        }
        self.begun = true;
        let written = self.stdout.write(bytes);
        self.keep(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_closed() {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let flushed = self.stdout.flush();
        self.keep(flushed)
    }
}
