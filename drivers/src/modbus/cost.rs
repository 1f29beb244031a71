//! What a plan costs: registers, and the shortest time in which a cycle can be done.
//!
//! On a serial line a request of 8 bytes and its answer of 5 + 2·registers (5 + bits/8) pass one after the other, each
//! byte as start bit, data bits, parity and stop bits. Before the request and before the answer lies a silence of 3.5
//! characters (never below 1.75 ms). What a device needs to think comes on top; it is not known here and counts as none.
//! Over TCP the wire counts as none, too: what remains is the pauses of the plant file.

use super::{
    link::silence,
    plan::{Items, Shape, plan},
};
use crate::api::Request;
use domain::plant::{ModbusLink, ModbusSource, Parity, SerialLine};
use std::time::Duration;

/// A plan in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanCost {
    /// Requests of a cycle.
    pub requests: usize,
    /// Registers read in a cycle.
    pub registers: u32,
    /// Coils and discrete inputs read in a cycle.
    pub bits: u32,
    /// Registers and bits of these that are thrown away.
    pub wasted: u32,
    /// The shortest time of a cycle: bytes on a serial line, silences, pauses.
    pub min_cycle: Duration,
    /// The pauses of the plant file alone.
    pub pauses: Duration,
    /// When the next cycle is due.
    pub period: Duration,
}

impl PlanCost {
    /// What to do when a cycle cannot be done within the poll period.
    pub fn warning(&self) -> Option<String> {
        if self.min_cycle <= self.period {
            return None;
        }
        let (cycle, pauses, period) = (
            self.min_cycle.as_millis(),
            self.pauses.as_millis(),
            self.period.as_millis(),
        );
        let cause = if self.pauses > self.period {
            format!("its pauses alone take {pauses} ms")
        } else {
            format!(
                "{} requests, {} registers, {pauses} ms of pauses",
                self.requests, self.registers
            )
        };
        Some(format!(
            "a cycle takes at least {cycle} ms ({cause}), poll_ms is {period}: polls will be left out. Raise poll_ms or the baud rate, \
             shorten the pauses, or join requests (max_gap)"
        ))
    }
}

/// What a source's plan costs.
pub fn cost(settings: &ModbusSource) -> PlanCost {
    let polling = &settings.polling;
    let items = Items::of(&settings.points);
    let reads = plan(&items, Shape::from(polling));
    let sum = |of_bits: bool| {
        let counted = reads.iter().filter(|read| read.request.area.is_bits() == of_bits);
        counted.map(|read| u32::from(read.request.count)).sum()
    };
    let connecting = if polling.close_after_poll {
        polling.pause_after_connect
    } else {
        Duration::ZERO
    };
    let between = u32::try_from(reads.len().saturating_sub(1)).unwrap_or(u32::MAX);
    let pauses = polling.pause_between_requests.saturating_mul(between) + connecting;
    let wire: Duration = match &settings.link {
        ModbusLink::Rtu(line) => reads.iter().map(|read| exchange(line, &read.request)).sum(),
        ModbusLink::Tcp { .. } | ModbusLink::RtuOverTcp { .. } => Duration::ZERO,
    };
    PlanCost {
        requests: reads.len(),
        registers: sum(false),
        bits: sum(true),
        wasted: reads.iter().map(|read| read.wasted(&items)).sum(),
        min_cycle: wire + pauses,
        pauses,
        period: polling.period,
    }
}

/// A request and its answer on a serial line, with the silences before them.
fn exchange(line: &SerialLine, request: &Request) -> Duration {
    let data = if request.area.is_bits() {
        u64::from(request.count).div_ceil(8)
    } else {
        2 * u64::from(request.count)
    };
    let parity = u64::from(line.parity != Parity::None);
    let bits_a_byte = 1 + u64::from(line.data_bits) + parity + u64::from(line.stop_bits);
    let bits = (8 + 5 + data) * bits_a_byte;
    Duration::from_micros(bits * 1_000_000 / u64::from(line.baud.max(1))) + 2 * silence(line.baud)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{PlantFile, plant::SourceKind};

    fn cost_of(source: &str) -> PlanCost {
        let tags: String = (0..4)
            .map(|i| format!("[[tag]]\nname = \"T{i}\"\nunit = \"1\"\n"))
            .collect();
        let head = "schema = 1\n[plant]\nname = \"P\"\nturbine = \"T\"\n[store]\npath = \"s\"\n";
        let points: String = [0, 1, 10, 20]
            .iter()
            .enumerate()
            .map(|(i, offset)| format!("[[source.point]]\ntag = \"T{i}\"\naddress = {{ area = \"holding\", offset = {offset} }}\ntype = \"uint16\"\n"))
            .collect();
        let text = format!("{head}{tags}[[source]]\nid = \"s\"\n{source}{points}");
        let plant = PlantFile::parse(&text, "test", &|_| Err("none".into())).unwrap_or_else(|e| panic!("{e}"));
        match &plant.sources[0].kind {
            SourceKind::Modbus(modbus) => cost(modbus),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_cycle_on_a_line_is_its_bytes_and_silences() {
        let cost = cost_of("kind = \"modbus-rtu\"\ndevice = \"d\"\nbaud = 9600\n");
        assert_eq!((cost.requests, cost.registers, cost.wasted), (3, 4, 0));
        // 3 × (8 + 5) + 4 × 2 = 47 bytes of 10 bits, and six silences of 38.5 bits
        let millis = (47.0 * 10.0 + 6.0 * 38.5) / 9.6;
        assert!((cost.min_cycle.as_secs_f64() * 1000.0 - millis).abs() < 0.1, "{cost:?}");
        let joined = cost_of("kind = \"modbus-rtu\"\ndevice = \"d\"\nbaud = 9600\nmax_gap = 20\nparity = \"even\"\n");
        assert_eq!((joined.requests, joined.registers, joined.wasted), (1, 21, 17));
        assert_eq!(joined.warning(), None);
    }

    #[test]
    fn pauses_that_do_not_fit_the_poll_period_are_told() {
        // telegraf PR 9256, review: "user configures more sleep time than the collection interval"
        let tcp = "kind = \"modbus-tcp\"\nhost = \"h\"\npoll_ms = 500\n";
        assert_eq!(cost_of(tcp).min_cycle, Duration::ZERO);
        let paused = cost_of(&format!(
            "{tcp}pause_between_requests_ms = 200\nclose_after_poll = true\npause_after_connect_ms = 150\n"
        ));
        assert_eq!(paused.min_cycle.as_millis(), 550);
        assert!(
            paused
                .warning()
                .is_some_and(|w| w.contains("550 ms") && w.contains("500")),
            "{paused:?}"
        );
        let slow = cost_of("kind = \"modbus-rtu\"\ndevice = \"d\"\nbaud = 300\npoll_ms = 500\n");
        assert!(slow.warning().is_some_and(|w| w.contains("baud")), "{slow:?}");
    }
}
