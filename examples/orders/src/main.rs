//! The `orders` program: the processes of the main job, one sub-command each.

use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};
use trunkline_orders::demo::{Script, play};
use trunkline_orders::feeder::{self, Feeding};
use trunkline_orders::judge::Limits;
use trunkline_orders::report::print_line;
use trunkline_orders::shop::{Manners, Shop};
use trunkline_orders::worker::{self, Working};
use trunkline_orders::{expect, generator, tether};

/// The main job of Trunkline: real orders in, durable workflows, ordered deliveries out.
#[derive(Debug, Parser)]
#[command(name = "orders", version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start everything, kill the server if asked to, and compare what comes out with the file.
    Demo {
        /// The order file; without it one is generated.
        #[arg(long, value_name = "FILE")]
        input: Option<PathBuf>,
        /// How often to kill the server with kill -9 on the way.
        #[arg(long, default_value_t = 0, value_name = "TIMES")]
        crash: u32,
        /// How many invoices to generate.
        #[arg(long, default_value_t = 300)]
        invoices: u32,
        /// Seed of all chance; without it another one each time.
        #[arg(long)]
        seed: Option<u64>,
        /// Keep data and logs in this folder.
        #[arg(long, value_name = "FOLDER")]
        data: Option<PathBuf>,
    },
    /// Compute from the file alone what must come out.
    Expect {
        /// The order file.
        file: PathBuf,
    },
    /// Write an order file as untidy as the real one to standard output.
    Generate {
        /// The same seed writes the same file.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// How many invoices.
        #[arg(long, default_value_t = 300)]
        invoices: u32,
        /// How many lines to spoil beyond reading.
        #[arg(long, default_value_t = 0)]
        broken: u32,
    },
    /// Read an order file, start a run for each invoice, approve what waits for it.
    Feeder {
        /// The order file.
        file: PathBuf,
        /// The server.
        #[arg(long, default_value = "http://127.0.0.1:7411", value_name = "URL")]
        server: String,
        /// Write the rejected lines to this file.
        #[arg(long, value_name = "FILE")]
        rejects: Option<PathBuf>,
        /// List the rejected lines, and start nothing.
        #[arg(long)]
        list_rejected: bool,
    },
    /// Work for the server: workflow, payments and warehouse.
    Worker {
        /// The server.
        #[arg(long, default_value = "http://127.0.0.1:7411", value_name = "URL")]
        server: String,
        /// Seed of the payment service's failures.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Refuse the charges of this customer for good.
        #[arg(long, value_name = "CUSTOMER")]
        refuse: Vec<String>,
    },
    /// Play the remote shop that takes the deliveries. Its first line says where it listens.
    Shop {
        /// Where to listen.
        #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
        listen: SocketAddr,
        /// Requests a second in the long run.
        #[arg(long, default_value_t = 500)]
        rate_per_second: u64,
        /// Requests at once after a pause.
        #[arg(long, default_value_t = 100)]
        burst: u64,
        /// How many of 1,000 requests are answered with 503.
        #[arg(long, default_value_t = 50)]
        unavailable_per_mille: u64,
        /// How many of 1,000 requests are accepted and not answered.
        #[arg(long, default_value_t = 10)]
        dropped_per_mille: u64,
        /// Seed of its moods.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Become another program that dies with the process PARENT.
    #[command(hide = true)]
    Tether {
        /// The process.
        parent: u32,
        /// The program and its arguments.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        program: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    match run(Args::parse().command) {
        Ok(code) => code,
        Err(error) => {
            // Without standard error there is nobody to tell.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(command: Command) -> Result<ExitCode, String> {
    match command {
        Command::Demo {
            input,
            crash,
            invoices,
            seed,
            data,
        } => {
            let script = Script {
                input,
                invoices,
                crashes: crash,
                seed: seed.unwrap_or_else(fresh_seed),
                folder: data,
            };
            // One thread: the system ends the processes with the thread that started them.
            let kept = runtime()?.block_on(play(&script))?;
            Ok(if kept {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
        Command::Expect { file } => {
            let totals = expect::expect(&read(&file)?)?.totals;
            let line = serde_json::to_string(&totals).map_err(|error| error.to_string())?;
            say(&line)
        }
        Command::Generate {
            seed,
            invoices,
            broken,
        } => {
            let text = generator::generate(seed, invoices, broken);
            say(text.trim_end())
        }
        Command::Feeder {
            file,
            server,
            rejects,
            list_rejected,
        } => {
            let text = read(&file)?;
            let name = file.display();
            let book = feeder::book_of(&text).map_err(|error| format!("{name}: {error}"))?;
            if list_rejected {
                return say(feeder::rejected_csv(&book).trim_end());
            }
            let feeding = Feeding {
                server,
                rejects,
                book,
            };
            runtime()?.block_on(feeder::feed(feeding))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Worker {
            server,
            seed,
            refuse,
        } => {
            let working = Working {
                server,
                seed,
                refused_customers: refuse,
            };
            runtime()?.block_on(worker::work(working))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Shop {
            listen,
            rate_per_second,
            burst,
            unavailable_per_mille,
            dropped_per_mille,
            seed,
        } => {
            let manners = Manners {
                limits: Limits {
                    rate_per_second,
                    burst,
                },
                unavailable_per_mille,
                dropped_per_mille,
                seed,
            };
            runtime()?.block_on(open_shop(listen, manners))
        }
        Command::Tether { parent, program } => {
            let (program, args) = program.split_first().ok_or("there is no program")?;
            Err(tether::become_tethered(parent, program, args).to_string())
        }
    }
}

async fn open_shop(listen: SocketAddr, manners: Manners) -> Result<ExitCode, String> {
    let failed = |error: io::Error| format!("the shop cannot open at {listen}: {error}");
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    say(&format!("http://{address}"))?;
    match Shop::new(manners).serve(listener).await {
        Ok(never) => match never {},
        Err(error) => Err(failed(error)),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime: {error}"))
}

fn read(file: &PathBuf) -> Result<Vec<u8>, String> {
    std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))
}

/// Writes to standard output. A reader such as `head`, which has had enough, is no error.
fn say(text: &str) -> Result<ExitCode, String> {
    match print_line(text) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("standard output: {error}"))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn fresh_seed() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(1, |since| since.as_nanos() as u64)
}
