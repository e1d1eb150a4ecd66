//! `firedrill new`: writes a commented scenario to start from. It never overwrites.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use firedrill_scenario::starter;
use firedrill_yaml::Problem;

use crate::args::TEMPLATE;
use crate::exit::{Ended, Error};
use crate::out::Out;
use crate::text::{one_line, shell_word, shown};

/// Write a commented scenario to start from
#[derive(Debug, clap::Args)]
#[command(help_template = TEMPLATE, before_help = "\
The scenario passes as it is; change it step by step. Its first line tells \
editors where the schema is: the nearest `schema.json` that `firedrill schema` \
printed, in its folder or above.")]
#[command(after_help = "\
Examples:
  firedrill new my-outage                  writes my-outage.yaml
  firedrill new scenarios/limits/burst     writes scenarios/limits/burst.yaml
  firedrill new -                          prints it")]
pub(crate) struct Args {
    /// What to call it, or a path; `-` prints it
    #[arg(value_name = "NAME", required_unless_present = "stdout")]
    name: Option<PathBuf>,

    /// The folder to write it to
    #[arg(long, value_name = "DIR", conflicts_with = "stdout")]
    dir: Option<PathBuf>,

    /// Print it and write nothing
    #[arg(long)]
    stdout: bool,
}

/// What the schema is called beside the scenarios.
const SCHEMA: &str = "schema.json";
/// How far up a schema is looked for.
const FOLDERS_UP: usize = 8;

pub(crate) fn new(args: &Args, out: &mut Out) -> Result<Ended, Error> {
    let name = args.name.as_deref().filter(|name| *name != Path::new("-"));
    let title = name.map(title).unwrap_or_default();
    let Some(name) = name.filter(|_| !args.stdout) else {
        out.text(&starter(&title, &schema(Path::new("."))));
        return Ok(Ended::Well);
    };
    let path = args.path(name)?;
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let wrong = |message: String| Problem::new(message).in_file(shown(&path));
    fs::create_dir_all(folder).map_err(|error| wrong(format!("cannot make its folder: {error}")))?;
    let mut file = OpenOptions::new().write(true).create_new(true).open(&path).map_err(|error| {
        if error.kind() == ErrorKind::AlreadyExists {
            wrong("there is such a file already, and it is not overwritten".to_owned())
                .hint("choose another name")
        } else {
            wrong(format!("cannot write this file: {error}"))
        }
    })?;
    file.write_all(starter(&title, &schema(folder)).as_bytes())
        .map_err(|error| wrong(format!("cannot write this file: {error}")))?;
    let shown = shown(&path);
    out.line(format_args!("wrote {shown}\nrun it with: firedrill run {}", shell_word(&shown)));
    Ok(Ended::Well)
}

impl Args {
    /// The file to write.
    fn path(&self, name: &Path) -> Result<PathBuf, Problem> {
        let mut path = self.dir.clone().unwrap_or_default().join(name);
        let ends_well = path.extension().is_some_and(|end| end == "yaml" || end == "yml");
        if path.file_name().is_none() || name.as_os_str().as_encoded_bytes().ends_with(b"/") {
            let hint = "for example `firedrill new my-outage`";
            return Err(Problem::new("expected the name of a scenario").in_file(shown(name)).hint(hint));
        }
        if !ends_well {
            path.as_mut_os_string().push(".yaml");
        }
        Ok(path)
    }
}

/// `limits/my-first_burst` is about "my first burst".
fn title(name: &Path) -> String {
    let name = name.file_name().unwrap_or_default().to_string_lossy();
    let name = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml")).unwrap_or(&name);
    one_line(&name.replace(['-', '_'], " "))
}

/// Where the schema is, seen from `folder`: the nearest one, or where one would be.
fn schema(folder: &Path) -> String {
    let Ok(whole) = fs::canonicalize(folder) else { return SCHEMA.to_owned() };
    let above = whole.ancestors().take(FOLDERS_UP).position(|folder| is_ours(&folder.join(SCHEMA)));
    "../".repeat(above.unwrap_or(0)) + SCHEMA
}

/// Whether a file is a schema of scenarios. Others are called `schema.json` too.
fn is_ours(path: &Path) -> bool {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(512).read_to_string(&mut text));
    read.is_ok() && text.contains("\"firedrill scenario\"")
}
