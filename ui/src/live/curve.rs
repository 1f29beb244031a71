//! What the plot makes of a curve: pieces without a gap, the interval's band, the value at a time. Pure.
//!
//! Curves come reduced to min and max of each column of pixels, so that a spike of one reading stays visible; a column without a usable
//! value breaks the curve, and so does a stretch without columns that is far longer than the usual distance.

use view::Curve;

/// So many times the usual distance between two columns are a gap.
const GAP: f64 = 5.0;

/// A curve as the plot draws it.
pub struct Pieces {
    /// Points of each piece, in the order of time.
    pub pieces: Vec<Vec<[f64; 2]>>,
    /// Does a column stand for several readings?
    pub is_reduced: bool,
}

/// A piece of the interval without a gap.
#[derive(Default)]
pub struct Band {
    /// Seconds since 1970.
    pub x: Vec<f64>,
    /// Lower edge.
    pub low: Vec<f64>,
    /// Upper edge.
    pub high: Vec<f64>,
}

/// What is usual for this curve, in seconds; infinite for fewer than two columns.
fn usual_distance(curve: &Curve) -> f64 {
    let mut distances: Vec<i64> = curve.offset_micros.windows(2).map(|w| w[1] - w[0]).collect();
    distances.sort_unstable();
    distances
        .get(distances.len() / 2)
        .map_or(f64::INFINITY, |d| *d as f64 / 1e6)
}

/// Splits a curve of a window that starts at `start` at its gaps.
pub fn pieces(curve: &Curve, start: f64) -> Pieces {
    let usual = usual_distance(curve);
    let mut pieces: Vec<Vec<[f64; 2]>> = vec![Vec::new()];
    let mut last = f64::NEG_INFINITY;
    for (i, offset) in curve.offset_micros.iter().enumerate() {
        let x = start + *offset as f64 / 1e6;
        let (Some(&min), Some(&max)) = (curve.min.get(i), curve.max.get(i)) else {
            break;
        };
        if min.is_nan() || x - last > GAP * usual {
            pieces.push(Vec::new());
        }
        last = x;
        if let (Some(piece), false) = (pieces.last_mut(), min.is_nan()) {
            if max > min {
                piece.push([x, min]);
            }
            piece.push([x, max]);
        }
    }
    pieces.retain(|p| !p.is_empty());
    // a single value between two gaps is a point; a line needs two
    pieces.iter_mut().filter(|p| p.len() == 1).for_each(|p| p.push(p[0]));
    Pieces {
        pieces,
        is_reduced: curve.is_reduced,
    }
}

/// The band between two curves, split where either has a gap.
pub fn band(low: &Curve, high: &Curve, start: f64) -> Vec<Band> {
    let usual = usual_distance(low);
    let mut bands = vec![Band::default()];
    let mut last = f64::NEG_INFINITY;
    let columns = low
        .offset_micros
        .iter()
        .zip(&low.min)
        .zip(high.offset_micros.iter().zip(&high.max));
    for ((offset, low), (other, high)) in columns {
        let x = start + *offset as f64 / 1e6;
        let is_whole = offset == other && !low.is_nan() && !high.is_nan();
        if !is_whole || x - last > GAP * usual {
            bands.push(Band::default());
        }
        last = x;
        if let (Some(band), true) = (bands.last_mut(), is_whole) {
            band.x.push(x);
            band.low.push(*low);
            band.high.push(*high);
        }
    }
    bands.retain(|b| b.x.len() > 1);
    bands
}

/// Least and greatest value of the last column at or before `x`; none where the curve has a gap there.
pub fn value_at(curve: &Curve, start: f64, x: f64) -> Option<(f64, f64)> {
    let micros = ((x - start) * 1e6).round() as i64;
    let after = curve.offset_micros.partition_point(|o| *o <= micros);
    let place = after.checked_sub(1)?;
    let age = (micros - curve.offset_micros[place]) as f64 / 1e6;
    let (min, max) = (*curve.min.get(place)?, *curve.max.get(place)?);
    (!min.is_nan() && age <= GAP * usual_distance(curve)).then_some((min, max))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(columns: &[(i64, f64, f64)]) -> Curve {
        Curve {
            offset_micros: columns.iter().map(|c| c.0 * 1_000_000).collect(),
            min: columns.iter().map(|c| c.1).collect(),
            max: columns.iter().map(|c| c.2).collect(),
            mean: columns.iter().map(|c| c.1).collect(),
            quality: vec![0; columns.len()],
            is_reduced: false,
        }
    }

    #[test]
    fn a_column_without_a_value_breaks_the_curve() {
        let c = curve(&[
            (0, 1.0, 1.0),
            (1, 2.0, 2.0),
            (2, f64::NAN, f64::NAN),
            (3, 4.0, 4.0),
            (4, 5.0, 5.0),
        ]);
        let pieces = pieces(&c, 100.0).pieces;
        assert_eq!(
            pieces,
            [vec![[100.0, 1.0], [101.0, 2.0]], vec![[103.0, 4.0], [104.0, 5.0]]]
        );
    }

    #[test]
    fn a_long_stretch_without_readings_breaks_it_and_a_usual_one_does_not() {
        let c = curve(&[
            (0, 1.0, 1.0),
            (10, 1.0, 1.0),
            (20, 1.0, 1.0),
            (200, 1.0, 1.0),
            (210, 1.0, 1.0),
        ]);
        assert_eq!(pieces(&c, 0.0).pieces.len(), 2);
    }

    #[test]
    fn a_spike_within_a_column_stays_visible() {
        let c = curve(&[(0, 1.0, 1.0), (1, 1.0, 999.0), (2, 1.0, 1.0)]);
        let points: Vec<f64> = pieces(&c, 0.0).pieces.concat().iter().map(|p| p[1]).collect();
        assert!(points.contains(&999.0) && points.iter().filter(|v| **v == 1.0).count() == 3);
    }

    #[test]
    fn the_band_breaks_where_one_edge_is_missing() {
        let low = curve(&[
            (0, 1.0, 1.0),
            (1, 1.0, 1.0),
            (2, f64::NAN, f64::NAN),
            (3, 1.0, 1.0),
            (4, 1.0, 1.0),
        ]);
        let high = curve(&[
            (0, 2.0, 2.0),
            (1, 2.0, 2.0),
            (2, 2.0, 2.0),
            (3, 2.0, 2.0),
            (4, 2.0, 2.0),
        ]);
        let lengths: Vec<usize> = band(&low, &high, 0.0).iter().map(|b| b.x.len()).collect();
        assert_eq!(lengths, [2, 2]);
    }

    #[test]
    fn the_cursor_reads_the_sample_before_it_and_nothing_in_a_gap() {
        let c = curve(&[(0, 1.0, 1.5), (1, 2.0, 2.0), (2, 3.0, 3.0), (60, f64::NAN, f64::NAN)]);
        assert_eq!(value_at(&c, 100.0, 100.9), Some((1.0, 1.5)));
        assert_eq!(value_at(&c, 100.0, 101.0), Some((2.0, 2.0)));
        assert_eq!(value_at(&c, 100.0, 99.0), None, "before the first");
        assert_eq!(value_at(&c, 100.0, 130.0), None, "far behind the last");
        assert_eq!(value_at(&c, 100.0, 161.0), None, "bad column");
    }
}
