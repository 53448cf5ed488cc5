//! The `trunkline` program: the server, and the commands that talk to one.
//!
//! What this is not: it has no logic of runs or jobs. `dev` and `server` put an engine and a server together; every other
//! command is a few HTTP requests and their answers written for people, or with `--json` for programs.
//!
//! ```text
//! exit code   0 done   1 refused   2 wrong usage   69 no server there   70 a failure inside Trunkline
//! ```
//!
//! Invariants: results go to standard output, everything else to standard error; a failure is one line with its code.

mod args;
mod bulk;
mod client;
mod connector;
mod credential;
mod dead_letters;
mod doctor;
mod egress;
mod events;
mod explain;
mod failure;
mod log;
mod many;
mod method;
mod numbers;
mod replay;
mod run;
mod schedule;
mod serve;
mod story;
mod table;
mod task;
mod tenant;
mod token;
mod token_file;
mod tree;

use args::{Args, Command};
use clap::Parser;
use client::Client;
use failure::Failure;
use std::io::{self, BufWriter, Write};

/// Many small allocations made on one thread and freed on another: mimalloc is built for it, and W1a gains a twentieth by it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let args = Args::parse();
    let mut out = BufWriter::new(io::stdout());
    let done = carry_out(args, &mut out).and_then(|()| out.flush().map_err(Failure::from));
    let exit_code = match done {
        Ok(()) => 0,
        Err(failure) => {
            // What was printed before the failure comes first. If that fails too, there is nobody to tell.
            let _ = out.flush();
            if let Some(line) = failure.line() {
                let _ = writeln!(io::stderr(), "{line}");
            }
            failure.exit_code()
        }
    };
    // Not by returning: threads that wait for a broken disk must not hold the process.
    std::process::exit(exit_code);
}

fn carry_out(args: Args, out: &mut dyn Write) -> Result<(), Failure> {
    let server = args.server;
    let client = || {
        let token = token_file::of_client(server.token_file.as_deref())?;
        Client::new(&server.server, token)
    };
    match args.command {
        Command::Dev(dev) => serve::dev(&dev, out),
        Command::Server(server) => serve::server(&server, out),
        Command::Run(command) => run::carry_out(command, &client()?, out),
        Command::Bulk(command) => bulk::carry_out(command, &client()?, out),
        Command::Schedule(command) => schedule::carry_out(command, &client()?, out),
        Command::Task(command) => task::carry_out(command, &client()?, out),
        Command::Egress(command) => egress::carry_out(command, &client()?, out),
        Command::Credential(command) => credential::carry_out(command, &client()?, out),
        Command::Keys(command) => credential::carry_out_keys(command, client, out),
        Command::Token(command) => token::carry_out(command, &client()?, out),
        Command::Tenant(command) => tenant::carry_out(command, &client()?, out),
        Command::Connector(command) => connector::carry_out(command, out),
        Command::DeadLetters(command) => dead_letters::carry_out(command, &client()?, out),
        Command::Events(args) => events::carry_out(&args, &client()?, out),
        Command::Explain { code } => explain::explain(&code, out),
        Command::Doctor { data, json } => match data {
            Some(folder) => doctor::folder::examine(&folder, json, out),
            None => doctor::server::examine(&client()?, json, out),
        },
        Command::Replay(args) => replay::carry_out(&args, out),
        Command::Version => {
            writeln!(out, "trunkline {}", env!("CARGO_PKG_VERSION"))?;
            Ok(())
        }
    }
}
