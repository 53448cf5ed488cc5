//! Transcripts: the commands that a document shows, run again, and their output compared.
//!
//! A fenced block of the language `console` is a transcript. A line that begins with `$ ` is a command (one that ends with
//! a backslash goes on in the next line), the lines after it are its output. In the output, a line `...` stands for any
//! lines, and `[..]` for any text within a line. A command without output shown must succeed; what it prints is not
//! compared. All transcripts of a document are one session of bash, in an empty folder, with the programs of this workspace
//! on the `PATH`.
//!
//! Addresses of this machine are replaced by free ones, so that a check disturbs nobody and nobody disturbs it; `trunkline dev`,
//! which is shown without an address, gets one in place of its default.
//!
//! A block after the line `<!-- not run: why -->` is left out. The reason is part of the rule: there is no other way out.
//!
//! Not a terminal: a program in the background must write to a file, or its output lands among that of others.

use crate::markdown::{self, Block};
use crate::tree::File;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a whole document may take. A session that hangs is ended with everything it started.
const SESSION_MS_MAX: u64 = 300_000;

/// A command of a document and what the document says that it prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The line of the document.
    pub line: usize,
    /// The command, for bash.
    pub command: String,
    /// The output shown; nothing if none is.
    pub shown: Option<String>,
}

/// What a command really did.
#[derive(Debug, Clone)]
pub struct Done {
    /// What it printed, on both streams.
    pub printed: String,
    /// Its exit status; absent if the session never came so far.
    pub status: Option<i32>,
}

/// The steps of a document, in order.
#[must_use]
pub fn steps(file: &File) -> Vec<Step> {
    markdown::blocks(file)
        .iter()
        .filter(|block| block.language == "console" && reason_not_to_run(block).is_none())
        .flat_map(steps_of_block)
        .collect()
}

/// Why a block is not run, if the document says so.
#[must_use]
pub fn reason_not_to_run(block: &Block) -> Option<&str> {
    block
        .note
        .as_deref()
        .and_then(|note| note.strip_prefix("not run:"))
        .map(str::trim)
}

fn steps_of_block(block: &Block) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut continues = false;
    for (offset, line) in block.body.lines().enumerate() {
        if continues {
            let step = steps.last_mut().expect("a line goes on from one before it");
            step.command.push('\n');
            step.command.push_str(line);
            continues = line.ends_with('\\');
        } else if let Some(command) = line.strip_prefix("$ ") {
            continues = command.ends_with('\\');
            steps.push(Step {
                line: block.line + 1 + offset,
                command: command.to_owned(),
                shown: None,
            });
        } else if let Some(step) = steps.last_mut() {
            let shown = step.shown.get_or_insert_default();
            shown.push_str(line);
            shown.push('\n');
        }
    }
    steps
}

/// The address on which a server listens unless it is told otherwise.
const ADDRESS_DEFAULT: &str = "127.0.0.1:7411";

/// The same steps with free addresses in place of those that the document shows.
///
/// # Panics
/// If there is no free port.
#[must_use]
pub fn relocated(mut steps: Vec<Step>) -> (Vec<Step>, String) {
    let mut places = BTreeMap::from([(ADDRESS_DEFAULT.to_owned(), String::new())]);
    for step in &steps {
        places.extend(addresses(&step.command).map(|address| (address, String::new())));
    }
    // All are held until each has its own.
    let held: Vec<TcpListener> = places
        .values_mut()
        .map(|place| {
            let listener = free_port();
            let address = listener.local_addr().expect("a listener has an address");
            *place = address.to_string();
            listener
        })
        .collect();
    drop(held);
    for step in &mut steps {
        for (shown, place) in &places {
            step.command = step.command.replace(shown, place);
            step.shown = step.shown.as_ref().map(|text| text.replace(shown, place));
        }
    }
    (steps, places[ADDRESS_DEFAULT].clone())
}

/// A port that nobody has, below those that the system gives to outgoing connections: a client that tries to reach a server
/// which is down can be given the server's own port there, connect to itself, and keep the server from coming back.
fn free_port() -> TcpListener {
    let first = 15_000 + (std::process::id() % 10_000) as u16;
    (first..32_000)
        .find_map(|port| TcpListener::bind(("127.0.0.1", port)).ok())
        .expect("there is a free port")
}

fn addresses(text: &str) -> impl Iterator<Item = String> {
    const HOST: &str = "127.0.0.1:";
    text.match_indices(HOST).map(|(at, _)| {
        let port = text[at + HOST.len()..]
            .chars()
            .take_while(char::is_ascii_digit);
        HOST.chars().chain(port).collect()
    })
}

/// Puts a program `trunkline` into `folder` that listens on `address` where the real one has its default.
fn wrap(folder: &Path, programs: &Path, address: &str) {
    let real = programs.join("trunkline");
    let real = real.display();
    let wrapper = folder.join("trunkline");
    let text = format!(
        "#!/bin/sh\ncase \"$1\" in dev) shift; exec '{real}' dev --listen {address} \"$@\";; esac\nexec '{real}' \"$@\"\n"
    );
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&wrapper, text))
        .and_then(|()| fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)))
        .expect("the session's folder can be written to");
}

/// Runs the steps in one session in `folder`, with `programs` and the examples in it in front of the `PATH`, and a server at
/// `address` unless a command says otherwise.
///
/// # Panics
/// If bash cannot be run at all.
#[must_use]
pub fn run(steps: &[Step], folder: &Path, programs: &Path, address: &str) -> Vec<Done> {
    let wrapped = folder.join(".programs");
    wrap(&wrapped, programs, address);
    let output = folder.join(".transcript.tmp");
    let script = script(steps);
    let file = fs::File::create(&output).expect("the session's folder can be written to");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut bash = Command::new("bash")
        .args(["-c", &script])
        .current_dir(folder)
        .env(
            "PATH",
            format!(
                "{}:{1}:{1}/examples:{path}",
                wrapped.display(),
                programs.display()
            ),
        )
        .env("TRUNKLINE_SERVER", format!("http://{address}"))
        .stdin(Stdio::null())
        .stdout(file.try_clone().expect("a file handle can be doubled"))
        .stderr(file)
        .process_group(0)
        .spawn()
        .expect("bash can be run");

    let give_up = Instant::now() + Duration::from_millis(SESSION_MS_MAX);
    while matches!(bash.try_wait(), Ok(None)) {
        if Instant::now() > give_up {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    // The group has bash's number; what the session left running goes with it.
    let _ = Command::new("kill")
        .args(["-KILL", "--", &format!("-{}", bash.id())])
        .stderr(Stdio::null())
        .status();
    let _ = bash.wait();

    let mut printed = Vec::new();
    fs::File::open(&output)
        .and_then(|mut file| file.read_to_end(&mut printed))
        .expect("the session's output can be read");
    split(&String::from_utf8_lossy(&printed), steps.len())
}

const MARK: &str = "\u{1}trunkline-transcript";

fn script(steps: &[Step]) -> String {
    let mut script = String::from("trap 'kill $(jobs -p) 2>/dev/null' EXIT\n");
    for step in steps {
        let _ = write!(
            script,
            "printf '{MARK} begin\\n'\n{}\nprintf '{MARK} end %d\\n' $?\n",
            step.command
        );
    }
    script
}

fn split(output: &str, count: usize) -> Vec<Done> {
    let begin = format!("{MARK} begin\n");
    let end = format!("{MARK} end ");
    let mut done: Vec<Done> = output
        .split(begin.as_str())
        .skip(1)
        .map(|part| match part.split_once(end.as_str()) {
            Some((printed, rest)) => Done {
                printed: without_notices(printed),
                status: rest.lines().next().and_then(|status| status.parse().ok()),
            },
            None => Done {
                printed: part.to_owned(),
                status: None,
            },
        })
        .collect();
    done.resize(
        count,
        Done {
            printed: String::new(),
            status: None,
        },
    );
    done
}

/// Without what bash itself says, some time later, about a program in the background that was killed.
fn without_notices(printed: &str) -> String {
    printed
        .split_inclusive('\n')
        .filter(|line| !(line.starts_with("bash: line ") && line.contains(" Killed ")))
        .collect()
}

/// Why a step did not do what the document says; nothing if it did.
#[must_use]
pub fn difference(step: &Step, done: &Done) -> Option<String> {
    let Some(status) = done.status else {
        return Some(format!("it did not end; it printed:\n{}", done.printed));
    };
    match &step.shown {
        None if status == 0 => None,
        None => Some(format!(
            "it failed with status {status}; it printed:\n{}",
            done.printed
        )),
        Some(shown) if matches(shown, &done.printed) => None,
        Some(shown) => Some(format!(
            "the document shows:\n{shown}\nit printed (status {status}):\n{}",
            done.printed
        )),
    }
}

/// True if `printed` is what `shown` says. Blanks at the ends of lines do not count.
#[must_use]
pub fn matches(shown: &str, printed: &str) -> bool {
    let shown: Vec<&str> = shown.trim_end().lines().map(str::trim_end).collect();
    let printed: Vec<&str> = printed.trim_end().lines().map(str::trim_end).collect();
    lines_match(&shown, &printed)
}

fn lines_match(shown: &[&str], printed: &[&str]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((&"...", rest)) => (0..=printed.len()).any(|skip| lines_match(rest, &printed[skip..])),
        Some((line, rest)) => printed.split_first().is_some_and(|(first, printed)| {
            line_matches(line, first) && lines_match(rest, printed)
        }),
    }
}

fn line_matches(shown: &str, printed: &str) -> bool {
    let mut parts = shown.split("[..]");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = printed.strip_prefix(first) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    true
}

/// The folder with the programs of this workspace: the one that these tests were built into, with the programs that the
/// documents use built if they are not there yet.
///
/// # Panics
/// If they cannot be built.
#[must_use]
pub fn programs() -> PathBuf {
    let test = std::env::current_exe().expect("a running program has a path");
    let folder = test
        .ancestors()
        .nth(2)
        .expect("tests are built into deps/ beside the programs")
        .to_path_buf();
    build(&folder.join("trunkline"), &["-p", "trunkline-cli"]);
    build(&folder.join("connector"), &["-p", "trunkline-connectors"]);
    build(
        &folder.join("examples/checkout"),
        &["-p", "trunkline", "--example", "checkout"],
    );
    build(&folder.join("library"), &["-p", "trunkline-tutorial"]);
    folder
}

fn build(program: &Path, what: &[&str]) {
    if program.exists() {
        return;
    }
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let status = Command::new(cargo)
        .args(["build", "--locked"])
        .args(what)
        .current_dir(crate::tree::root())
        .status()
        .expect("cargo runs these tests, so it can be run");
    assert!(status.success(), "cannot build {}", program.display());
}

#[cfg(test)]
mod tests;
