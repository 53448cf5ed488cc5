//! `trunkline credential …` and `trunkline keys …`: what authenticates deliveries, and the keys that protect it.

use crate::client::{Client, encoded};
use crate::failure::Failure;
use crate::numbers::{date, span};
use crate::table::Table;
use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use std::io::{self, Read, Write};
use std::path::PathBuf;
use trunkline_api::core::code::Code;
use trunkline_api::credential::{
    AuthenticationBody, ClientAuthBody, CredentialBody, CredentialList, CredentialTested,
    KeyRingBody, PlaceBody, PutCredential, RotateKeys, SecretText, TestCredential,
};
use trunkline_server::engine::vault::Vault;

#[derive(Subcommand, Debug)]
pub(crate) enum CredentialCommand {
    /// Create a credential, or a new version of it; the secret is read from standard input
    Put(PutArgs),
    /// List credentials
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show a credential: its versions, and who uses it
    Show {
        /// The credential
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make the pending version the current one
    Promote {
        /// The credential
        id: String,
    },
    /// Drop the previous version before its overlap is over
    Retire {
        /// The credential
        id: String,
    },
    /// Make a call with it, and say what came of it
    Test {
        /// The credential
        id: String,
        /// Where to [default: the first destination that uses it]
        #[arg(long)]
        url: Option<String>,
        /// The method [default: GET]
        #[arg(long)]
        method: Option<String>,
        /// With the pending version
        #[arg(long)]
        pending: bool,
    },
    /// Delete a credential that no destination uses
    Delete {
        /// The credential
        id: String,
    },
}

#[derive(ClapArgs, Debug)]
pub(crate) struct PutArgs {
    /// The credential
    id: String,
    /// How it authenticates
    #[arg(long, value_enum)]
    kind: KindArg,
    /// The user's name, for basic
    #[arg(long, required_if_eq("kind", "basic"))]
    user: Option<String>,
    /// The header that carries the key, for api-key
    #[arg(long)]
    header: Option<String>,
    /// The parameter of the query that carries the key, for api-key
    #[arg(long, conflicts_with = "header")]
    parameter: Option<String>,
    /// The token endpoint, for client-credentials
    #[arg(long, required_if_eq("kind", "client-credentials"))]
    token_url: Option<String>,
    /// Who asks, for client-credentials
    #[arg(long, required_if_eq("kind", "client-credentials"))]
    client_id: Option<String>,
    /// What for, for client-credentials
    #[arg(long)]
    scope: Option<String>,
    /// Send client and secret in the body, for client-credentials
    #[arg(long)]
    client_in_body: bool,
    /// What it is for
    #[arg(long)]
    description: Option<String>,
    /// How long a version goes on as the previous one, in milliseconds [default: one day]
    #[arg(long, value_name = "MS")]
    overlap_ms: Option<u64>,
    /// Do not use the version until it is promoted
    #[arg(long)]
    pending: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum KindArg {
    /// User and password
    Basic,
    /// A token in the header authorization
    Bearer,
    /// A key in a header or in the query
    ApiKey,
    /// A signature over each message (Standard Webhooks)
    Webhook,
    /// A token from a token endpoint (OAuth 2.0)
    ClientCredentials,
}

#[derive(Subcommand, Debug)]
pub(crate) enum KeysCommand {
    /// Make a key file with one fresh key
    Create {
        /// The file
        file: PathBuf,
    },
    /// Show the versions of the server's key ring
    Show,
    /// Add a fresh key to the server's key file, and seal every credential anew with it
    Rotate {
        /// Add no key: the file has a new one already
        #[arg(long)]
        reload: bool,
    },
}

/// Does what the command says.
pub(crate) fn carry_out(
    command: CredentialCommand,
    client: &Client,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    match command {
        CredentialCommand::Put(args) => {
            let path = path_of(&args.id);
            let answer = client.put(&path, &request(args, &mut io::stdin())?)?;
            describe(&answer.read()?, out)?;
        }
        CredentialCommand::List { json } => list(json, client, out)?,
        CredentialCommand::Show { id, json } => {
            let answer = client.get(&path_of(&id))?;
            if json {
                writeln!(out, "{}", answer.text())?;
            } else {
                describe(&answer.read()?, out)?;
            }
        }
        CredentialCommand::Promote { id } => {
            let answer = client.post_nothing(&format!("{}/promote", path_of(&id)))?;
            describe(&answer.read()?, out)?;
        }
        CredentialCommand::Retire { id } => {
            let answer = client.post_nothing(&format!("{}/retire", path_of(&id)))?;
            describe(&answer.read()?, out)?;
        }
        CredentialCommand::Test {
            id,
            url,
            method,
            pending,
        } => {
            let request = TestCredential {
                url,
                method,
                pending,
            };
            let answer = client.post(&format!("{}/test", path_of(&id)), &request)?;
            let tested: CredentialTested = answer.read()?;
            let said = match tested.status {
                Some(status) => format!("answered {status}"),
                None => "did not answer".to_owned(),
            };
            let word = if tested.accepted {
                "accepted"
            } else {
                "not accepted"
            };
            writeln!(
                out,
                "{word}: {} {said} after {} (version {})",
                tested.url,
                span(tested.took_ms),
                tested.version
            )?;
            if !tested.accepted {
                let detail = format!("{} {said}: {}", tested.url, tested.detail);
                return Err(Failure::new(Code::CredentialFailed, detail));
            }
        }
        CredentialCommand::Delete { id } => {
            client.delete(&path_of(&id))?;
            writeln!(out, "{id} is deleted")?;
        }
    }
    Ok(())
}

/// Does what the command about keys says.
pub(crate) fn carry_out_keys(
    command: KeysCommand,
    client: impl FnOnce() -> Result<Client, Failure>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    match command {
        KeysCommand::Create { file } => {
            Vault::create(&file)
                .map_err(|error| Failure::new(Code::KeyRingInvalid, error.to_string()))?;
            writeln!(
                out,
                "{}: a key ring with one key. Keep a copy.",
                file.display()
            )?;
        }
        KeysCommand::Show => {
            let ring: KeyRingBody = client()?.get("/v1/key-ring")?.read()?;
            writeln!(out, "versions {:?}, {} seals", ring.versions, ring.newest)?;
        }
        KeysCommand::Rotate { reload } => {
            let answer = client()?.post("/v1/key-ring/rotate", &RotateKeys { reload })?;
            let ring: KeyRingBody = answer.read()?;
            writeln!(
                out,
                "version {} seals; {} credentials were sealed anew",
                ring.newest,
                ring.resealed.unwrap_or_default()
            )?;
        }
    }
    Ok(())
}

fn path_of(id: &str) -> String {
    format!("/v1/credentials/{}", encoded(id))
}

/// The request, with the secret from `input`: on the command line everybody on the machine could read it.
fn request(args: PutArgs, input: &mut dyn Read) -> Result<PutCredential, Failure> {
    let mut text = String::new();
    input.read_to_string(&mut text)?;
    let secret = SecretText(text.trim_end_matches(['\n', '\r']).to_owned());
    let authentication = match args.kind {
        KindArg::Basic => AuthenticationBody::Basic {
            user: args.user.unwrap_or_default(),
            password: secret,
        },
        KindArg::Bearer => AuthenticationBody::Bearer { token: secret },
        KindArg::ApiKey => AuthenticationBody::ApiKey {
            place: if args.parameter.is_some() {
                PlaceBody::Query
            } else {
                PlaceBody::Header
            },
            name: args
                .parameter
                .or(args.header)
                .unwrap_or_else(|| "x-api-key".to_owned()),
            key: secret,
        },
        KindArg::Webhook => AuthenticationBody::Webhook { secret },
        KindArg::ClientCredentials => AuthenticationBody::ClientCredentials {
            token_url: args.token_url.unwrap_or_default(),
            client_id: args.client_id.unwrap_or_default(),
            client_secret: secret,
            scope: args.scope,
            client_auth: if args.client_in_body {
                ClientAuthBody::Body
            } else {
                ClientAuthBody::Basic
            },
        },
    };
    Ok(PutCredential {
        authentication,
        description: args.description,
        overlap_ms: args.overlap_ms,
        pending: args.pending,
    })
}

fn list(json: bool, client: &Client, out: &mut dyn Write) -> Result<(), Failure> {
    let answer = client.get("/v1/credentials")?;
    if json {
        writeln!(out, "{}", answer.text())?;
        return Ok(());
    }
    let list: CredentialList = answer.read()?;
    let mut table = Table::new(["CREDENTIAL", "KIND", "VERSIONS", "USED BY", "FAILURE"]);
    for one in &list.credentials {
        let versions: Vec<String> = one
            .versions
            .iter()
            .map(|version| format!("{} {}", version.number, version.stage))
            .collect();
        let kind = one.versions.last().map(|version| version.kind.clone());
        table.row([
            one.id.clone(),
            kind.unwrap_or_default(),
            versions.join(", "),
            one.used_by.join(", "),
            one.failure.clone().unwrap_or_default(),
        ]);
    }
    table.write("no credentials", out)?;
    Ok(())
}

fn describe(credential: &CredentialBody, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", credential.id)?;
    if let Some(description) = &credential.description {
        writeln!(out, "  for          {description}")?;
    }
    for version in &credential.versions {
        let about = version.about.as_ref().map(|about| format!(", {about}"));
        writeln!(
            out,
            "  version {:<4} {}, {}{}, fingerprint {}, sealed under {}",
            version.number,
            version.stage,
            version.kind,
            about.unwrap_or_default(),
            version.fingerprint,
            version.sealed_under
        )?;
        if let Some(until) = version.until {
            writeln!(out, "               until {} UTC", date(until))?;
        }
    }
    writeln!(out, "  overlap      {}", span(credential.overlap_ms))?;
    if credential.used_by.is_empty() {
        writeln!(out, "  used by      no destination")?;
    } else {
        writeln!(out, "  used by      {}", credential.used_by.join(", "))?;
    }
    if let Some(failure) = &credential.failure {
        writeln!(out, "  failure      {failure}")?;
    }
    Ok(())
}
