use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};

use crate::Error;

/// Below the range from which systems take the ports of outgoing connections (from 32768 on Linux), so that a server which is down
/// for a while finds its port free when it comes back.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// Counts through the range from a start that differs between processes, so that a process never gets the same port twice.
static NEXT: LazyLock<AtomicU16> = LazyLock::new(|| {
    let random = RandomState::new().hash_one(std::process::id());
    AtomicU16::new(u16::try_from(random % u64::from(COUNT)).unwrap_or_default())
});

/// A TCP port on 127.0.0.1 on which nothing listens now. Nothing keeps another process from taking it before its user does, so
/// whoever starts a server on it should be ready to try another.
pub fn free_port() -> Result<u16, Error> {
    (0..COUNT)
        .filter_map(|_| {
            NEXT.try_update(Ordering::Relaxed, Ordering::Relaxed, |next| {
                Some(next.wrapping_add(1) % COUNT)
            })
            .ok()
        })
        .map(|offset| FIRST.saturating_add(offset))
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .ok_or(Error::NoFreePort {
            first: FIRST,
            last: FIRST.saturating_add(COUNT - 1),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// Tests of one process start their servers at the same time, each some while after it asked for a port.
    #[test]
    fn ports_are_free_and_never_given_twice() {
        let ports: Vec<u16> = (0..200).map(|_| free_port().unwrap()).collect();
        assert_eq!(ports.iter().collect::<HashSet<_>>().len(), ports.len());
        let listeners: Vec<_> = ports
            .iter()
            .map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).unwrap())
            .collect();
        assert!(!ports.contains(&free_port().unwrap()));
        drop(listeners);
    }
}
