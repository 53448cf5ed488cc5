//! The guard: which addresses deliveries may go to.
//!
//! Whoever may configure a destination could otherwise have the server call what only the server can reach: a database beside it,
//! the metadata service of its cloud. Public addresses are free; every other one has to be in a network that the operator has
//! allowed. It is the address that counts, after the name has been resolved and for each connection, so a name that changes its mind
//! gains nothing.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Addresses with the same beginning, such as `10.0.0.0/8`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// The networks of this machine itself, called `loopback`.
    pub const LOOPBACK: [Self; 2] = [
        Self::v4([127, 0, 0, 0], 8),
        Self {
            address: IpAddr::V6(Ipv6Addr::LOCALHOST),
            prefix: 128,
        },
    ];
    /// The networks for use inside of an organisation (RFC 1918, RFC 4193), called `private`. Link-local addresses are not among
    /// them: clouds answer there with the machine's own credentials.
    pub const PRIVATE: [Self; 4] = [
        Self::v4([10, 0, 0, 0], 8),
        Self::v4([172, 16, 0, 0], 12),
        Self::v4([192, 168, 0, 0], 16),
        Self {
            address: IpAddr::V6(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0)),
            prefix: 7,
        },
    ];

    /// Every address there is.
    pub(crate) const ANY: [Self; 2] = [
        Self::v4([0, 0, 0, 0], 0),
        Self {
            address: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            prefix: 0,
        },
    ];

    const fn v4([a, b, c, d]: [u8; 4], prefix: u8) -> Self {
        Self {
            address: IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
            prefix,
        }
    }

    fn contains(self, address: IpAddr) -> bool {
        let differ = |a: u128, b: u128, bits: u32| {
            let kept = u32::from(self.prefix);
            kept > 0 && (a ^ b) >> (bits - kept) != 0
        };
        match (self.address, address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                !differ(u128::from(u32::from(a)), u128::from(u32::from(b)), 32)
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => !differ(u128::from(a), u128::from(b), 128),
            _ => false,
        }
    }

    /// The networks that a word of the operator's stands for: `loopback`, `private`, `10.1.0.0/16` or a single address.
    ///
    /// # Errors
    /// What is wrong with the word.
    pub fn named(word: &str) -> Result<Vec<Self>, String> {
        match word {
            "loopback" => Ok(Self::LOOPBACK.to_vec()),
            "private" => Ok(Self::PRIVATE.to_vec()),
            _ => word.parse().map(|network| vec![network]),
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is no network: write loopback, private, an address, or one with a prefix such as 10.1.0.0/16"
            )
        };
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.parse().map_err(|_| wrong())?,
            None => most,
        };
        if prefix > most {
            return Err(wrong());
        }
        Ok(Self { address, prefix })
    }
}

/// Networks that are not the public internet (the special-purpose registries of RFC 6890).
const SPECIAL: [Network; 20] = {
    const fn v6(address: [u16; 8], prefix: u8) -> Network {
        let [a, b, c, d, e, f, g, h] = address;
        Network {
            address: IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h)),
            prefix,
        }
    }
    [
        Network::v4([0, 0, 0, 0], 8),
        Network::PRIVATE[0],
        Network::v4([100, 64, 0, 0], 10),
        Network::LOOPBACK[0],
        Network::v4([169, 254, 0, 0], 16),
        Network::PRIVATE[1],
        Network::v4([192, 0, 0, 0], 24),
        Network::v4([192, 0, 2, 0], 24),
        Network::PRIVATE[2],
        Network::v4([198, 18, 0, 0], 15),
        Network::v4([198, 51, 100, 0], 24),
        Network::v4([203, 0, 113, 0], 24),
        // Multicast, what is reserved, and broadcast.
        Network::v4([224, 0, 0, 0], 3),
        // Unspecified and loopback, and IPv4 in old clothes.
        v6([0, 0, 0, 0, 0, 0, 0, 0], 96),
        // Local NAT64.
        v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48),
        // Documentation.
        v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
        // Tunnels into IPv4 networks: Teredo and 6to4.
        v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32),
        v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16),
        Network::PRIVATE[3],
        // Link-local, site-local and multicast.
        v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 9),
    ]
};
/// Multicast of IPv6.
const MULTICAST_V6: Network = Network {
    address: IpAddr::V6(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0)),
    prefix: 8,
};

/// Which addresses deliveries may go to.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    allowed: Vec<Network>,
}

impl Guard {
    pub(crate) fn new(allowed: Vec<Network>) -> Self {
        Self { allowed }
    }

    /// Refuses an address that is not public and that nobody has allowed.
    pub(crate) fn check(&self, address: IpAddr) -> Result<(), Forbidden> {
        let address = plain(address);
        let special = SPECIAL
            .iter()
            .chain([&MULTICAST_V6])
            .any(|network| network.contains(address));
        if !special || self.allowed.iter().any(|network| network.contains(address)) {
            return Ok(());
        }
        Err(Forbidden(address))
    }
}

/// The IPv4 address that an IPv6 address stands for, if it does: mapped (RFC 4291) or by NAT64 (RFC 6052).
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address else {
        return address;
    };
    if let Some(four) = six.to_ipv4_mapped() {
        return IpAddr::V4(four);
    }
    match six.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            IpAddr::V4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)))
        }
        _ => address,
    }
}

/// An address that deliveries may not go to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Forbidden(pub(crate) IpAddr);

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = trunkline_core::code::Code::AddressForbidden;
        write!(
            f,
            "{code}: {} is not a public address, and the server was not told to allow it",
            self.0
        )
    }
}

impl std::error::Error for Forbidden {}

#[cfg(test)]
mod tests;
