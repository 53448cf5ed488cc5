//! `trunkline connector …`: looks at a connector, and holds it to the contract.
//!
//! It calls the connector itself, as deliveries would be made; no server takes part.

mod caller;
mod checks;

use crate::failure::Failure;
use crate::table::Table;
use caller::Caller;
use checks::{Finding, Verdict};
use clap::{Args as ClapArgs, Subcommand};
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;
use trunkline_api::connector::Manifest;
use trunkline_api::core::code::Code;

#[derive(Subcommand, Debug)]
pub(crate) enum ConnectorCommand {
    /// Show what a connector says of itself
    Show(ConnectorArgs),
    /// Check that a connector keeps the contract; exit code 1 if it does not
    Check(ConnectorArgs),
}

#[derive(ClapArgs, Debug)]
pub(crate) struct ConnectorArgs {
    /// The connector's endpoint: an http:// or https:// URL
    url: String,
    /// A header that authenticates, such as `Authorization: Bearer …`; may be given several times
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = caller::header)]
    headers: Vec<caller::Header>,
    /// The connector's settings, as JSON
    #[arg(long, value_name = "JSON", default_value = "null", value_parser = json)]
    settings: serde_json::Value,
    /// A file of certificates (PEM) of authorities that are trusted beside the usual ones
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Reads JSON from the command line.
pub(crate) fn json(text: &str) -> Result<serde_json::Value, String> {
    serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))
}

/// Does what the command says.
pub(crate) fn carry_out(command: ConnectorCommand, out: &mut dyn Write) -> Result<(), Failure> {
    match command {
        ConnectorCommand::Show(args) => {
            let caller = Caller::new(&args.url, args.headers, args.ca_file.as_deref())?;
            let manifest = manifest(&caller)?;
            if args.json {
                writeln!(out, "{}", serde_json::json!(manifest))?;
                return Ok(());
            }
            show(&manifest, out)
        }
        ConnectorCommand::Check(args) => check(args, out),
    }
}

/// The manifest of the connector at `url`.
pub(crate) fn manifest_of(url: &str) -> Result<Manifest, Failure> {
    manifest(&Caller::new(url, Vec::new(), None)?)
}

fn manifest(caller: &Caller) -> Result<Manifest, Failure> {
    let invalid = |reason: String| Failure::new(Code::ManifestInvalid, reason);
    let manifest = checks::manifest(caller).map_err(invalid)?;
    match manifest.faults().first() {
        Some(fault) => Err(invalid(fault.clone())),
        None => Ok(manifest),
    }
}

fn show(manifest: &Manifest, out: &mut dyn Write) -> Result<(), Failure> {
    let title = manifest.title.as_deref().unwrap_or_default();
    writeln!(out, "{} {}  {title}", manifest.name, manifest.version)?;
    writeln!(
        out,
        "  calls        {} jobs and {} bytes at most, {} ms",
        manifest.batch_max, manifest.body_bytes_max, manifest.timeout_ms
    )?;
    writeln!(out, "  auth         {}", manifest.auth.join(", "))?;
    for operation in &manifest.operations {
        let actions = operation.actions.join(", ");
        writeln!(out, "  {:<12} {actions}", operation.object_type)?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Report<'a> {
    url: &'a str,
    connector: Option<String>,
    ok: bool,
    checks: &'a [Finding],
}

fn check(args: ConnectorArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let caller = Caller::new(&args.url, args.headers, args.ca_file.as_deref())?;
    let (manifest, findings) = checks::all(&caller, &args.settings);
    let connector = manifest.map(|manifest| format!("{} {}", manifest.name, manifest.version));
    let count = |verdict| {
        let all = findings.iter().filter(|finding| finding.result == verdict);
        all.count()
    };
    let failed = count(Verdict::Failed);
    if args.json {
        let report = Report {
            url: &args.url,
            connector,
            ok: failed == 0,
            checks: &findings,
        };
        writeln!(out, "{}", serde_json::json!(report))?;
    } else {
        writeln!(out, "{}", connector.as_deref().unwrap_or(&args.url))?;
        let mut table = Table::new(["CHECK", "RESULT", "WHAT WAS SEEN"]);
        for finding in &findings {
            let result = match finding.result {
                Verdict::Ok => "ok",
                Verdict::Failed => "FAILED",
                Verdict::Skipped => "skipped",
            };
            table.row([
                finding.name.to_owned(),
                result.to_owned(),
                finding.detail.clone(),
            ]);
        }
        table.write("no checks", out)?;
        writeln!(
            out,
            "{} ok, {failed} failed, {} skipped",
            count(Verdict::Ok),
            count(Verdict::Skipped)
        )?;
    }
    out.flush()?;
    if failed == 0 {
        return Ok(());
    }
    let detail = format!("{failed} of {} checks failed", findings.len());
    Err(Failure::new(Code::ConnectorCheckFailed, detail))
}
