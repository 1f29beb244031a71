//! Which Modbus functions the program asked for while it was tested.
//!
//! A write can start a turbine, so the suite does not trust the source: every slave that a test starts (other people's
//! Python slaves, slaves of a few lines, the simulated turbine) records the function code of each request it gets. What
//! the simulator's own tests send to see writes refused is not the program's and is not recorded: they start its servers
//! without a record.

use crate::run::target_dir;
use anyhow::{Context, Result};
use std::{collections::BTreeMap, path::PathBuf};

/// The variable that names the folder of the records.
pub const VARIABLE: &str = "TURBINE_NOX_FUNCTION_CODES";
/// Coils, discrete inputs, holding registers, input registers.
const READS: std::ops::RangeInclusive<u64> = 1..=4;

/// An empty folder for the records of a run.
pub fn folder() -> Result<PathBuf> {
    let folder = target_dir().join(format!("function-codes-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

/// How often each function was asked for, and removes the records.
pub fn count(folder: &PathBuf) -> Result<Counts> {
    let mut counts = Counts::default();
    for file in std::fs::read_dir(folder)? {
        counts.add(&std::fs::read_to_string(file?.path())?);
    }
    std::fs::remove_dir_all(folder)?;
    Ok(counts)
}

/// Function code → how often; what is no number counts as function 0.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<u64, u64>);

impl Counts {
    fn add(&mut self, record: &str) {
        for line in record.lines() {
            *self.0.entry(line.trim().parse().unwrap_or(0)).or_default() += 1;
        }
    }

    /// What is wrong with them.
    pub fn problem(&self) -> Option<String> {
        if self.0.is_empty() {
            return Some("no slave recorded a Modbus function: the record does not work".to_owned());
        }
        let writes: Vec<String> = self
            .0
            .keys()
            .filter(|f| !READS.contains(f))
            .map(u64::to_string)
            .collect();
        (!writes.is_empty()).then(|| format!("a slave was asked for Modbus function {}", writes.join(", ")))
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return f.write_str("Modbus functions asked for: none");
        }
        let counts: Vec<String> = self
            .0
            .iter()
            .map(|(function, count)| format!("{function}: {count}"))
            .collect();
        write!(f, "Modbus functions asked for: {}", counts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anything_but_reads_and_nothing_at_all_are_problems() {
        let counts = |record: &str| {
            let mut counts = Counts::default();
            counts.add(record);
            counts
        };
        assert_eq!(counts("3\n3\n1\n").problem(), None);
        assert_eq!(
            counts("3\n3\n1\n").to_string(),
            "Modbus functions asked for: 1: 1, 3: 2"
        );
        for record in ["3\n16\n", "", "3\n\u{1}x\n", "5\n"] {
            assert!(counts(record).problem().is_some(), "{record:?}");
        }
    }
}
