//! Faults to switch on: what instruments and lines do when they fail, so that a program can be seen to notice.
//!
//! A [`crate::LiveTurbine`] carries its faults: its snapshots show stuck and drifting instruments by themselves, and
//! the servers ask [`Faults::delay`], [`Faults::is_silent`] and [`Faults::refuses`] before they answer.

use crate::{registers::REGISTER_MAP, turbine::Snapshot};
use std::{
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// One thing that is wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// The instrument at this place of the register map shows what it showed first, for ever.
    Stuck {
        /// Its place in [`REGISTER_MAP`].
        tag: usize,
    },
    /// The instrument at this place drifts, from the beginning on.
    Drift {
        /// Its place in [`REGISTER_MAP`].
        tag: usize,
        /// In its unit, an hour of the turbine's own clock.
        per_hour: f64,
    },
    /// Every answer comes this late.
    Late(Duration),
    /// So many of a hundred answers, at random, are refusals: a Modbus exception 4, an AK answer `NA`, a broken line.
    Exceptions {
        /// 0 to 100.
        percent: f64,
    },
    /// Nothing is said for the last part of every period.
    Silence {
        /// The period.
        every: Duration,
        /// How much of it is silent.
        for_: Duration,
    },
}

impl FromStr for Fault {
    type Err = String;

    /// `stuck=TAG`, `drift=TAG:PER_HOUR`, `late=MS`, `exceptions=PERCENT`, `silence=EVERY_S:FOR_S`.
    fn from_str(text: &str) -> Result<Self, String> {
        const FORMS: &str =
            "expected stuck=TAG, drift=TAG:PER_HOUR, late=MS, exceptions=PERCENT or silence=EVERY_S:FOR_S";
        let number = |text: &str, most: f64| {
            let number = text.parse::<f64>().ok().filter(|n| n.abs() <= most);
            number.ok_or_else(|| format!("{text:?} is no number up to {most}; {FORMS}"))
        };
        let seconds = |text: &str| Ok::<_, String>(Duration::from_secs_f64(number(text, 1e6)?.max(0.0)));
        let pair = |text: &'_ str| text.split_once(':').map(|(a, b)| (a.to_owned(), b.to_owned()));
        let (kind, value) = text.split_once('=').ok_or(FORMS)?;
        match kind {
            "stuck" => Ok(Self::Stuck { tag: place(value)? }),
            "drift" => {
                let (tag, per_hour) = pair(value).ok_or(FORMS)?;
                Ok(Self::Drift {
                    tag: place(&tag)?,
                    per_hour: number(&per_hour, 1e9)?,
                })
            }
            "late" => Ok(Self::Late(seconds(value)? / 1000)),
            "exceptions" => {
                let percent = number(value, 100.0)?;
                Ok(Self::Exceptions { percent })
            }
            "silence" => {
                let (every, for_) = pair(value).ok_or(FORMS)?;
                let (every, for_) = (seconds(&every)?, seconds(&for_)?);
                if every.is_zero() || for_ > every {
                    return Err(format!("a silence is no longer than its period; {FORMS}"));
                }
                Ok(Self::Silence { every, for_ })
            }
            _ => Err(FORMS.to_owned()),
        }
    }
}

/// The place of this tag in the register map.
fn place(name: &str) -> Result<usize, String> {
    REGISTER_MAP.iter().position(|entry| entry.0 == name).ok_or_else(|| {
        let known: Vec<_> = REGISTER_MAP.iter().map(|entry| entry.0).collect();
        format!(
            "{name:?} is no tag of the simulated turbine; expected one of: {}",
            known.join(", ")
        )
    })
}

/// The faults of one simulated device. Clones are the same device; none by default.
#[derive(Clone, Debug)]
pub struct Faults {
    faults: Arc<[Fault]>,
    started: Instant,
    memory: Arc<Mutex<Memory>>,
}

#[derive(Debug, Default)]
struct Memory {
    first: Option<Snapshot>,
    random: u64,
}

impl Default for Faults {
    fn default() -> Self {
        Self::new([])
    }
}

impl Faults {
    /// These faults, from now on.
    pub fn new(faults: impl IntoIterator<Item = Fault>) -> Self {
        Self {
            faults: faults.into_iter().collect(),
            started: Instant::now(),
            memory: Arc::default(),
        }
    }

    /// What the faulty instruments show where sound ones would show this.
    pub fn apply(&self, snapshot: &mut Snapshot) {
        if self.faults.is_empty() {
            return;
        }
        let first = *self.lock().first.get_or_insert(*snapshot);
        let hours = (snapshot.seconds - first.seconds) / 3600.0;
        for fault in self.faults.iter() {
            match *fault {
                Fault::Stuck { tag } => {
                    let shown = first.values()[tag];
                    if let Some(value) = snapshot.value_mut(tag) {
                        *value = shown;
                    }
                }
                Fault::Drift { tag, per_hour } => {
                    if let Some(value) = snapshot.value_mut(tag) {
                        *value += per_hour * hours;
                    }
                }
                Fault::Late(_) | Fault::Exceptions { .. } | Fault::Silence { .. } => {}
            }
        }
    }

    /// How late an answer comes.
    pub fn delay(&self) -> Duration {
        let late = |fault: &Fault| match fault {
            Fault::Late(delay) => Some(*delay),
            _ => None,
        };
        self.faults.iter().filter_map(late).sum()
    }

    /// Is the device silent just now?
    pub fn is_silent(&self) -> bool {
        self.is_silent_at(self.started.elapsed())
    }

    fn is_silent_at(&self, elapsed: Duration) -> bool {
        self.faults.iter().any(|fault| match fault {
            Fault::Silence { every, for_ } => {
                let into = elapsed.as_nanos() % every.as_nanos().max(1);
                into >= every.saturating_sub(*for_).as_nanos()
            }
            _ => false,
        })
    }

    /// Is this answer a refusal? Every call is another answer.
    pub fn refuses(&self) -> bool {
        self.faults.iter().any(|fault| match fault {
            Fault::Exceptions { percent } => self.uniform() * 100.0 < *percent,
            _ => false,
        })
    }

    /// Even between 0 and 1, the same row of numbers in every run.
    fn uniform(&self) -> f64 {
        let mut memory = self.lock();
        memory.random += 1;
        crate::turbine::uniform_of(memory.random)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turbine::Turbine;

    fn faults(texts: &[&str]) -> Faults {
        Faults::new(texts.iter().map(|t| t.parse().unwrap()))
    }

    #[test]
    fn what_is_no_fault_is_refused_with_what_was_expected() {
        for text in [
            "",
            "stuck",
            "stuck=XX",
            "drift=AT",
            "drift=AT:x",
            "late=-x",
            "exceptions=101",
            "silence=3",
            "silence=3:5",
            "silence=0:0",
            "late=inf",
            "late=nan",
        ] {
            let error = text.parse::<Fault>().unwrap_err();
            assert!(error.contains("expected"), "{text}: {error}");
        }
    }

    #[test]
    fn instruments_stick_and_drift_by_the_turbines_clock() {
        let faults = faults(&["stuck=NOX", "drift=AT:6"]);
        let mut turbine = Turbine::new(3);
        let first = turbine.snapshot();
        let mut shown = first;
        faults.apply(&mut shown);
        assert_eq!(shown, first);
        turbine.advance(1800.0);
        let sound = turbine.snapshot();
        let mut shown = sound;
        faults.apply(&mut shown);
        assert_eq!(shown.nox_mg_m3, first.nox_mg_m3);
        assert!((shown.ambient_celsius - sound.ambient_celsius - 3.0).abs() < 1e-9);
        assert_eq!(shown.co_mg_m3, sound.co_mg_m3);
    }

    #[test]
    fn a_device_is_silent_at_the_end_of_each_period() {
        let faults = faults(&["silence=10:3"]);
        let silent = |seconds| faults.is_silent_at(Duration::from_secs(seconds));
        assert_eq!(
            [0, 6, 7, 9, 10, 16, 17].map(silent),
            [false, false, true, true, false, false, true]
        );
    }

    #[test]
    fn answers_are_late_and_refused_as_often_as_told() {
        let faulty = faults(&["late=250", "exceptions=20"]);
        assert_eq!(faulty.delay(), Duration::from_millis(250));
        let refused = (0..10_000).filter(|_| faulty.refuses()).count();
        assert!((1800..2200).contains(&refused), "{refused}");
        let sound = Faults::default();
        assert!(sound.delay().is_zero() && !sound.is_silent() && !sound.refuses());
    }
}
