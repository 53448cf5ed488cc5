//! What the program understands of where deliveries may go and whom they trust.

use clap::Args as ClapArgs;
use std::path::PathBuf;
use trunkline_server::engine::{Config, Network};

/// One word of `--egress-allow`.
#[derive(Clone, Debug)]
pub(crate) struct Networks(Vec<Network>);

fn networks(word: &str) -> Result<Networks, String> {
    Network::named(word.trim()).map(Networks)
}

/// For `trunkline dev`, where connectors run on the developer's own machine.
#[derive(ClapArgs, Debug)]
pub(crate) struct DevReachArgs {
    /// Addresses beside the public ones that deliveries may go to: loopback, private, an address or a network such as 10.1.0.0/16
    #[arg(long, value_name = "NETWORK,…", value_delimiter = ',', value_parser = networks, default_value = "loopback,private")]
    egress_allow: Vec<Networks>,
    #[command(flatten)]
    trust: TrustArgs,
}

/// For `trunkline server`, which may stand where it can reach what its users must not.
#[derive(ClapArgs, Debug)]
pub(crate) struct ReachArgs {
    /// Addresses beside the public ones that deliveries may go to: loopback, private, an address or a network such as 10.1.0.0/16
    /// [default: none]
    #[arg(long, value_name = "NETWORK,…", value_delimiter = ',', value_parser = networks, env = "TRUNKLINE_EGRESS_ALLOW")]
    egress_allow: Vec<Networks>,
    #[command(flatten)]
    trust: TrustArgs,
}

#[derive(ClapArgs, Debug)]
struct TrustArgs {
    /// A file of certificates (PEM) of authorities that deliveries trust beside the usual ones
    #[arg(long, value_name = "FILE", env = "TRUNKLINE_EGRESS_CA_FILE")]
    egress_ca_file: Option<PathBuf>,
}

impl DevReachArgs {
    pub(crate) fn set(&self, config: &mut Config) {
        set(&self.egress_allow, &self.trust, config);
    }
}

impl ReachArgs {
    pub(crate) fn set(&self, config: &mut Config) {
        set(&self.egress_allow, &self.trust, config);
    }
}

fn set(allow: &[Networks], trust: &TrustArgs, config: &mut Config) {
    config.egress_allow = allow.iter().flat_map(|one| one.0.clone()).collect();
    config.egress_ca_file.clone_from(&trust.egress_ca_file);
}
