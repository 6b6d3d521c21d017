//! Ports to listen on.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use cache_core::random_u64;

/// Below what systems hand out to connections that go out. From that range a connection to a port where nobody listens
/// can be given this very port as its own, and then it is connected to itself.
const FIRST: u16 = 16 * 1024;
const COUNT: u64 = 16 * 1024;

/// A loopback address that nobody listens on at this moment. Somebody may a moment later, so try again then.
pub(crate) fn free_address() -> Option<SocketAddr> {
    (0..1000).find_map(|_| {
        let offset = u16::try_from(random_u64() % COUNT).ok()?;
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, FIRST + offset));
        TcpListener::bind(addr).is_ok().then_some(addr)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_address_can_be_bound_and_lies_below_the_ports_of_clients() {
        let addr = free_address().unwrap();
        assert!((16 * 1024..32 * 1024).contains(&addr.port()));
        TcpListener::bind(addr).unwrap();
    }
}
