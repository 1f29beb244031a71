//! Messages that the broker still waits for us to acknowledge, and those it may not have heard us acknowledge.
//!
//! A message is acknowledged after its commit, and only on the connection on which it was delivered last. After a
//! reconnect the broker delivers again what it has no acknowledgement for, under the same number; such a message is not
//! stored a second time, even if it carries no time of its own, and even if its acknowledgement was on its way when the
//! connection broke. Of each number the fingerprint of its last message is kept: some megabytes at most.

use rumqttc::{Publish, QoS};
use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::{BuildHasher, Hasher},
};

/// A delivery that waits for its commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The packet's number, used again by the broker.
    pub packet: u16,
    /// 1 or 2.
    pub qos: QoS,
    serial: u64,
}

/// What a message that arrives is.
#[derive(Debug, PartialEq, Eq)]
pub enum Arrival {
    /// To be stored, and acknowledged where there is a delivery.
    New(Option<Delivery>),
    /// On its way to the store already.
    Pending,
    /// Stored already: acknowledge it.
    Stored,
}

struct Entry {
    serial: u64,
    fingerprint: u64,
    connection: u64,
    is_stored: bool,
}

/// The record of one session.
#[derive(Default)]
pub struct Inflight {
    entries: HashMap<u16, Entry>,
    connection: u64,
    serial: u64,
    hasher: RandomState,
}

impl Inflight {
    /// The connection ended: nothing that was delivered on it can be acknowledged any more.
    pub fn lost(&mut self) {
        self.connection += 1;
    }

    /// A new connection. A broker that forgot the session numbers from the beginning.
    pub fn connected(&mut self, is_session_kept: bool) {
        self.connection += 1;
        if !is_session_kept {
            self.entries.clear();
        }
    }

    fn fingerprint(&self, publish: &Publish) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_usize(publish.topic.len());
        hasher.write(&publish.topic);
        hasher.write(&publish.payload);
        hasher.finish()
    }

    /// A message arrived.
    pub fn arrived(&mut self, publish: &Publish) -> Arrival {
        if publish.qos == QoS::AtMostOnce {
            return Arrival::New(None);
        }
        let fingerprint = self.fingerprint(publish);
        if let Some(entry) = self.entries.get_mut(&publish.pkid)
            && publish.dup
            && entry.fingerprint == fingerprint
        {
            entry.connection = self.connection;
            return if entry.is_stored {
                Arrival::Stored
            } else {
                Arrival::Pending
            };
        }
        self.serial += 1;
        let entry = Entry {
            serial: self.serial,
            fingerprint,
            connection: self.connection,
            is_stored: false,
        };
        self.entries.insert(publish.pkid, entry);
        Arrival::New(Some(Delivery {
            packet: publish.pkid,
            qos: publish.qos,
            serial: self.serial,
        }))
    }

    /// A delivery is on the disk; tells whether to acknowledge it on this connection.
    pub fn stored(&mut self, delivery: &Delivery) -> bool {
        let connection = self.connection;
        match self.entries.get_mut(&delivery.packet) {
            Some(entry) if entry.serial == delivery.serial && !entry.is_stored => {
                entry.is_stored = true;
                entry.connection == connection
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publish(packet: u16, payload: &str, is_again: bool) -> Publish {
        let mut publish = Publish::new("t", QoS::AtLeastOnce, payload);
        (publish.pkid, publish.dup) = (packet, is_again);
        publish
    }

    fn delivered(inflight: &mut Inflight, publish: &Publish) -> Delivery {
        match inflight.arrived(publish) {
            Arrival::New(Some(delivery)) => delivery,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_message_is_acknowledged_once_it_is_stored() {
        let mut inflight = Inflight::default();
        inflight.connected(false);
        let delivery = delivered(&mut inflight, &publish(1, "a", false));
        assert!(inflight.stored(&delivery));
        assert!(!inflight.stored(&delivery));
        // the acknowledgement was lost with the connection
        inflight.lost();
        inflight.connected(true);
        assert_eq!(inflight.arrived(&publish(1, "a", true)), Arrival::Stored);
        assert!(
            matches!(inflight.arrived(&publish(1, "a", false)), Arrival::New(Some(_))),
            "the same value again"
        );
    }

    #[test]
    fn a_message_delivered_again_is_not_stored_again() {
        let mut inflight = Inflight::default();
        inflight.connected(false);
        let (first, second) = (
            delivered(&mut inflight, &publish(1, "a", false)),
            delivered(&mut inflight, &publish(2, "a", false)),
        );
        inflight.lost();
        assert!(!inflight.stored(&first), "not delivered on this connection yet");
        inflight.connected(true);
        assert_eq!(inflight.arrived(&publish(1, "a", true)), Arrival::Stored);
        assert_eq!(inflight.arrived(&publish(2, "a", true)), Arrival::Pending);
        assert!(inflight.stored(&second));
    }

    #[test]
    fn a_number_used_again_is_another_message() {
        let mut inflight = Inflight::default();
        inflight.connected(false);
        let old = delivered(&mut inflight, &publish(1, "a", false));
        inflight.connected(false);
        let new = delivered(&mut inflight, &publish(1, "b", false));
        assert!(!inflight.stored(&old));
        assert!(inflight.stored(&new));
    }
}
