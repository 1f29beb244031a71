//! Prints hourly means of a simulated turbine as CSV: `year [SEED] [HOURS]`, 0 and 8760 unless told.
//!
//! `running` is the share of the hour on the grid, `t` the hour that ends, counted from the first instant.

#![expect(clippy::print_stdout, reason = "the table is what this program is for")]

use std::env::args;

use simulator::Turbine;
use simulator::registers::REGISTER_MAP;

/// Seconds between the samples an hour's mean is taken over.
const SAMPLE_SECONDS: f64 = 10.0;
const SAMPLES: usize = 360;

fn main() {
    let mut numbers = args().skip(1).map_while(|argument| argument.parse::<u64>().ok());
    let seed = numbers.next().unwrap_or(0);
    let hours = numbers.next().unwrap_or(8760);
    let names: Vec<&str> = REGISTER_MAP.iter().map(|(name, ..)| *name).collect();
    println!("t,{},running", names.join(","));
    let mut turbine = Turbine::new(seed);
    for hour in 1..=hours {
        let mut sums = [0.0; 11];
        let mut running = 0.0;
        for _ in 0..SAMPLES {
            turbine.advance(SAMPLE_SECONDS);
            let snapshot = turbine.snapshot();
            sums.iter_mut()
                .zip(snapshot.values())
                .for_each(|(sum, value)| *sum += value);
            running += f64::from(u8::from(snapshot.running));
        }
        let means: Vec<String> = sums.iter().map(|sum| format!("{:.4}", sum / SAMPLES as f64)).collect();
        println!("{hour},{},{:.4}", means.join(","), running / SAMPLES as f64);
    }
}
