//! Deadbands: which readings of a source are worth storing. What is not stored is still shown, watched by limits and fed to
//! the models.
//!
//! A value is stored when it differs from the last stored one by more than the deadband, when its quality changed, or when
//! nothing was stored for too long. With a value that jumps, the one before it is stored too, at its own time: a line from
//! the last stored value to the new one would be a ramp that never was (the practice of historians).

use domain::{Frame, Sample, Status, TagId, Timestamp, plant::Deadband};
use std::collections::HashMap;

/// The deadbands of one source, and what was stored last.
pub struct Thinner {
    bands: HashMap<TagId, Deadband>,
    tags: HashMap<TagId, State>,
}

struct State {
    stored: (Timestamp, f64, Status),
    /// The newest value that was not stored.
    held: Option<(Timestamp, Sample)>,
}

impl Thinner {
    /// With these deadbands; none where there are none.
    pub fn new(bands: Vec<(TagId, Deadband)>) -> Option<Self> {
        (!bands.is_empty()).then(|| Self {
            bands: bands.into_iter().collect(),
            tags: HashMap::new(),
        })
    }

    /// The frames that are worth storing, in the order of their times; none of them is empty.
    pub fn thin(&mut self, frames: &[Frame]) -> Vec<Frame> {
        let mut thinned = Vec::with_capacity(frames.len());
        for frame in frames {
            let mut before: Vec<Frame> = Vec::new();
            let mut samples = Vec::with_capacity(frame.samples.len());
            for &sample in &frame.samples {
                if let Some(held) = self.take(frame.time, sample, &mut samples) {
                    put(&mut before, held);
                }
            }
            before.sort_by_key(|f| f.time);
            thinned.extend(before);
            if !samples.is_empty() {
                thinned.push(Frame {
                    time: frame.time,
                    samples,
                });
            }
        }
        thinned
    }

    /// Puts the sample with those to be stored if it is worth it; gives the one before it where that is to be stored first.
    fn take(&mut self, time: Timestamp, sample: Sample, stored: &mut Vec<Sample>) -> Option<(Timestamp, Sample)> {
        let Some(band) = self.bands.get(&sample.tag) else {
            stored.push(sample);
            return None;
        };
        let Some(value) = sample.value else {
            self.tags.remove(&sample.tag);
            stored.push(sample);
            return None;
        };
        let now = (time, value, sample.status);
        let Some(state) = self.tags.get_mut(&sample.tag) else {
            self.tags.insert(
                sample.tag,
                State {
                    stored: now,
                    held: None,
                },
            );
            stored.push(sample);
            return None;
        };
        let (then, last, status) = state.stored;
        let age = time.micros_since(then);
        let has_moved = (value - last).abs() > band.abs || status != sample.status;
        if has_moved || age < 0 || age >= band.max_silence.as_micros() as i64 {
            stored.push(sample);
            state.stored = now;
            return state.held.take().filter(|(at, _)| has_moved && *at < time);
        }
        state.held = Some((time, sample));
        None
    }
}

fn put(frames: &mut Vec<Frame>, (time, sample): (Timestamp, Sample)) {
    match frames.iter_mut().find(|f| f.time == time) {
        Some(frame) => frame.samples.push(sample),
        None => frames.push(Frame {
            time,
            samples: vec![sample],
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Reason;
    use std::time::Duration;

    fn frame(secs: i64, value: f64) -> Frame {
        Frame {
            time: Timestamp::from_micros(secs * 1_000_000),
            samples: vec![
                Sample::measured(TagId(0), value, Status::Good),
                Sample::measured(TagId(1), value, Status::Good),
            ],
        }
    }

    fn of(frames: &[Frame], tag: u32) -> Vec<(i64, Option<f64>)> {
        let samples = frames.iter().flat_map(|f| f.samples.iter().map(move |s| (f.time, s)));
        samples
            .filter(|(_, s)| s.tag == TagId(tag))
            .map(|(t, s)| (t.micros() / 1_000_000, s.value))
            .collect()
    }

    fn thinner() -> Thinner {
        let band = Deadband {
            abs: 0.5,
            max_silence: Duration::from_secs(60),
        };
        Thinner::new(vec![(TagId(0), band)]).unwrap()
    }

    #[test]
    fn small_changes_are_left_out_and_a_jump_keeps_the_value_before_it() {
        let values = [10.0, 10.1, 10.5, 10.2, 20.0, 20.1, 20.2];
        let frames: Vec<_> = values.iter().enumerate().map(|(t, v)| frame(t as i64, *v)).collect();
        let mut thinner = thinner();
        // however the frames are cut into batches
        let thinned = [&frames[..4], &frames[4..]].map(|batch| thinner.thin(batch)).concat();
        assert_eq!(of(&thinned, 0), [(0, Some(10.0)), (3, Some(10.2)), (4, Some(20.0))]);
        assert_eq!(
            of(&thinned, 1).len(),
            values.len(),
            "a tag without a deadband is stored whole"
        );
        assert!(thinned.is_sorted_by_key(|f| f.time) && thinned.iter().all(|f| !f.samples.is_empty()));
    }

    #[test]
    fn something_is_stored_from_time_to_time_and_whenever_the_quality_changes() {
        let mut thinner = thinner();
        let frames: Vec<_> = (0..=130).map(|t| frame(t, 10.0)).collect();
        let times: Vec<_> = of(&thinner.thin(&frames), 0).iter().map(|(t, _)| *t).collect();
        assert_eq!(times, [0, 60, 120]);
        let mut silent = frame(131, 0.0);
        silent.samples = vec![Sample::missing(TagId(0), Reason::NoCommunication)];
        let mut bad = frame(132, 10.0);
        bad.samples[0].status = Status::Bad(Reason::OutOfRange);
        let thinned = thinner.thin(&[silent, bad.clone(), frame(133, 10.0), frame(134, 10.0)]);
        assert_eq!(of(&thinned, 0), [(131, None), (132, Some(10.0)), (133, Some(10.0))]);
    }
}
