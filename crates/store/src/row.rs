//! How the samples of a frame stand in a row: a REAL column a tag, and one blob of status bytes.
//!
//! The blob is NULL when every sample of the frame is good and has a value; then a tag is in the frame if its column is
//! not NULL. Else byte `i` is the status of column `i`, [`ABSENT`] or no byte at all for a tag that is not in the frame.

use domain::{Reason, Sample, Status};

/// The byte of a tag that is not in the frame.
pub const ABSENT: u8 = 0xff;

/// The status of one column of a stored row; `None` when the tag is not in that frame.
pub fn status(quality: Option<&[u8]>, place: usize, value: Option<f64>) -> Option<Status> {
    match quality {
        None => value.map(|_| Status::Good),
        Some(bytes) => decoded(bytes.get(place).copied().unwrap_or(ABSENT)),
    }
}

fn decoded(code: u8) -> Option<Status> {
    match code {
        ABSENT => None,
        // a reason of a later program: what is kept is how bad it is
        code => Some(Status::from_code(code).unwrap_or(match code >> 6 {
            1 => Status::Uncertain(Reason::DeviceStatus),
            _ => Status::Bad(Reason::DeviceStatus),
        })),
    }
}

/// A row that is going to be written.
pub struct Draft {
    /// Place of the table among those of the stream.
    pub part: usize,
    /// One a column.
    pub values: Vec<Option<f64>>,
    /// One a column, [`ABSENT`] where the frame has no such tag.
    pub codes: Vec<u8>,
}

impl Draft {
    /// A row without a sample.
    pub fn new(part: usize, width: usize) -> Self {
        Self {
            part,
            values: vec![None; width],
            codes: vec![ABSENT; width],
        }
    }

    /// Puts a sample in its column.
    pub fn set(&mut self, place: usize, sample: &Sample) {
        let sample = match sample.value {
            // SQLite stores NaN as NULL and the reason would be lost
            Some(value) if !value.is_finite() => Sample::missing(sample.tag, Reason::NotANumber),
            _ => *sample,
        };
        self.values[place] = sample.value;
        self.codes[place] = sample.status.code();
    }

    /// Takes a column's sample out again.
    pub fn clear(&mut self, place: usize) {
        self.values[place] = None;
        self.codes[place] = ABSENT;
    }

    /// Value and status of each column; no status for a tag that is not in the frame.
    pub fn samples(&self) -> impl Iterator<Item = (Option<f64>, Option<Status>)> {
        self.values
            .iter()
            .zip(&self.codes)
            .map(|(&value, &code)| (value, decoded(code)))
    }

    /// How many samples it holds.
    pub fn count(&self) -> u64 {
        self.codes.iter().filter(|&&c| c != ABSENT).count() as u64
    }

    /// The blob of status bytes; `None` when all samples are good and have a value.
    pub fn quality(&self) -> Option<&[u8]> {
        let is_plain = |(code, value): (&u8, &Option<f64>)| *code == ABSENT || (*code == 0 && value.is_some());
        if self.codes.iter().zip(&self.values).all(is_plain) {
            return None;
        }
        let used = self.codes.iter().rposition(|&c| c != ABSENT).map_or(0, |last| last + 1);
        Some(&self.codes[..used])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::TagId;

    fn draft(samples: &[Sample]) -> Draft {
        let mut draft = Draft::new(0, 3);
        for s in samples {
            draft.set(s.tag.index(), s);
        }
        draft
    }

    #[test]
    fn good_frames_need_no_status_bytes() {
        let d = draft(&[Sample::measured(TagId(1), 2.0, Status::Good)]);
        assert_eq!(d.quality(), None);
        let found: Vec<_> = (0..3).map(|i| status(None, i, d.values[i])).collect();
        assert_eq!(found, [None, Some(Status::Good), None]);
    }

    #[test]
    fn every_other_frame_says_which_tags_it_has() {
        let d = draft(&[
            Sample::measured(TagId(0), 2.0, Status::Good),
            Sample::missing(TagId(1), Reason::Stale),
        ]);
        let found: Vec<_> = (0..3).map(|i| status(d.quality(), i, d.values[i])).collect();
        assert_eq!(found, [Some(Status::Good), Some(Status::Bad(Reason::Stale)), None]);
        assert_eq!(d.count(), 2);
    }

    #[test]
    fn what_is_no_number_keeps_its_reason() {
        let d = draft(&[Sample {
            tag: TagId(0),
            value: Some(f64::NAN),
            status: Status::Good,
        }]);
        assert_eq!(
            status(d.quality(), 0, d.values[0]),
            Some(Status::Bad(Reason::NotANumber))
        );
    }
}
