//! What comes from a broker beside JSON: Sparkplug payloads, and MQTT packets before the client library sees them.

use crate::within_memory;
use drivers::parsers::{mqtt_gate::Filter, sparkplug};

/// Most bytes of a packet that pass the gate here.
const MOST: usize = 1000;

/// A Sparkplug B payload: no more metrics than bytes could hold, and the same whenever it is read.
pub fn sparkplug(case: &[u8]) {
    let Ok(payload) = within_memory(|| sparkplug::decode(case)) else {
        return;
    };
    let metrics = || {
        payload
            .metrics()
            .map(|m| (m.name, m.alias, m.whole))
            .collect::<Vec<_>>()
    };
    let first = metrics();
    assert!(first.len() <= case.len() / 2);
    assert_eq!(first, metrics());
}

/// Packets through the gate: the pieces in which they come make no difference, and what passes is no longer than what
/// came, but for the few replacements.
pub fn mqtt_packets(case: &[u8]) {
    let (&piece, packets) = case.split_first().unwrap_or((&0, &[]));
    let filtered = |piece: usize| {
        let (mut filter, mut out) = (Filter::new(MOST), Vec::new());
        packets.chunks(piece).for_each(|piece| filter.feed(piece, &mut out));
        out
    };
    let whole = within_memory(|| filtered(packets.len().max(1)));
    assert_eq!(whole, filtered(usize::from(piece) + 1));
    // the shortest PUBLISH has four bytes, the longest replacement some hundred
    assert!(whole.len() <= packets.len() + packets.len() / 4 * 400);
}
