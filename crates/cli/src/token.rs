//! `trunkline token …`: who may do what.

use crate::client::{Client, encoded};
use crate::failure::Failure;
use crate::numbers::date;
use crate::table::Table;
use clap::{Args as ClapArgs, Subcommand};
use std::io::{self, Write};
use trunkline_api::access::{AccessBody, CreateToken, TokenBody, TokenCreated, TokenList};
use trunkline_api::scope::Scope;

#[derive(Subcommand, Debug)]
pub(crate) enum TokenCommand {
    /// Make a token, and print it: it is not shown again
    Create(CreateArgs),
    /// List tokens
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the token that this command is run with
    Show {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// End a token, and the connections that were made with it
    Revoke {
        /// Its id
        id: String,
    },
}

#[derive(ClapArgs, Debug)]
pub(crate) struct CreateArgs {
    /// What it is for
    name: String,
    /// What it may do: read, run, operate, egress, egress:admin, work, admin:read, admin; may be given several times
    #[arg(long = "scope", value_name = "SCOPE,…", required = true, value_delimiter = ',', value_parser = scope)]
    scopes: Vec<Scope>,
    /// Whose it is [default: of the tenant that asks]
    #[arg(long)]
    tenant: Option<String>,
    /// When it ends, in milliseconds from now [default: never]
    #[arg(long, value_name = "MS")]
    expires_in_ms: Option<u64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn scope(text: &str) -> Result<Scope, String> {
    let all: Vec<&str> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
    Scope::named(text).ok_or_else(|| format!("the scopes are {}", all.join(", ")))
}

/// Does what the command says.
pub(crate) fn carry_out(
    command: TokenCommand,
    client: &Client,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    match command {
        TokenCommand::Create(args) => create(args, client, out),
        TokenCommand::List { json } => list(json, client, out),
        TokenCommand::Show { json } => show(json, client, out),
        TokenCommand::Revoke { id } => {
            client.delete(&format!("/v1/tokens/{}", encoded(&id)))?;
            writeln!(out, "{id} is revoked")?;
            Ok(())
        }
    }
}

fn create(args: CreateArgs, client: &Client, out: &mut dyn Write) -> Result<(), Failure> {
    let request = CreateToken {
        name: args.name,
        tenant: args.tenant,
        scopes: args.scopes,
        expires_in_ms: args.expires_in_ms,
    };
    let answer = client.post("/v1/tokens", &request)?;
    if args.json {
        writeln!(out, "{}", answer.text())?;
        return Ok(());
    }
    let made: TokenCreated = answer.read()?;
    // Only the token goes to standard output, so that it can go straight into a file.
    writeln!(out, "{}", made.token.0)?;
    let about = &made.about;
    writeln!(
        io::stderr(),
        "token {} of tenant {} may: {}. It is not shown again.",
        about.id,
        about.tenant,
        written(&about.scopes)
    )?;
    Ok(())
}

fn list(json: bool, client: &Client, out: &mut dyn Write) -> Result<(), Failure> {
    let answer = client.get("/v1/tokens")?;
    if json {
        writeln!(out, "{}", answer.text())?;
        return Ok(());
    }
    let list: TokenList = answer.read()?;
    let mut table = Table::new(["TOKEN", "NAME", "TENANT", "SCOPES", "EXPIRES", "LAST USED"]);
    for one in list.tokens {
        table.row([
            one.id.clone(),
            one.name.clone(),
            one.tenant.clone(),
            written(&one.scopes),
            one.expires_at.map_or_else(|| "never".to_owned(), date),
            one.last_used_at.map_or_else(|| "never".to_owned(), date),
        ]);
    }
    table.write("no tokens", out)?;
    Ok(())
}

fn show(json: bool, client: &Client, out: &mut dyn Write) -> Result<(), Failure> {
    let answer = client.get("/v1/access")?;
    if json {
        writeln!(out, "{}", answer.text())?;
        return Ok(());
    }
    let access: AccessBody = answer.read()?;
    match &access.token {
        Some(token) => describe(token, out)?,
        None => {
            writeln!(out, "no token, and none is required")?;
            writeln!(out, "  tenant     {}", access.tenant)?;
            writeln!(out, "  scopes     all")?;
        }
    }
    Ok(())
}

fn describe(token: &TokenBody, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}  {}", token.id, token.name)?;
    writeln!(out, "  tenant     {}", token.tenant)?;
    writeln!(out, "  scopes     {}", written(&token.scopes))?;
    let expires = token
        .expires_at
        .map_or_else(|| "never".to_owned(), |at| format!("{} UTC", date(at)));
    writeln!(out, "  expires    {expires}")
}

fn written(scopes: &[Scope]) -> String {
    if scopes.len() == Scope::ALL.len() {
        return "all".to_owned();
    }
    let each: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
    each.join(", ")
}
