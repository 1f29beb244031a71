//! The covariance of two rows: a sum of parts, each with a meaning.
//!
//! * offset: what drifts alike for all operating points, forgotten over some thousand rows;
//! * four smooth maps of the inputs (Matérn 3/2 of a scaled distance): one that stays, and three forgotten over about 400, 50 and 8 rows;
//! * an autoregressive part of a few rows; noise, which may grow with how much the plant moves.

use faer::{
    Accum, Mat, Par,
    linalg::matmul::{self, triangular::BlockStructure},
};

use super::frame::Frame;
use serde::{Deserialize, Serialize};

/// Smooth maps.
pub const MAPS: usize = 4;
/// Constants that are not weights of inputs, in the order of [`Constants`].
const SCALARS: usize = 6 + MAPS + (MAPS - 1);

/// The constants of the covariance as natural logarithms (the noise's slope as it is), in one list, so that a gradient is a list too:
/// offset (deviation, memory), autoregression (deviation, memory), noise (deviation, slope), deviation of each map, memory of each but
/// the first, then map by map the weights of the features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Constants {
    /// The list.
    pub list: Vec<f64>,
    features: usize,
}

impl Constants {
    /// Where every fit begins, for so many inputs and twice as many features: a map follows levels over a few deviations, hardly changes.
    pub fn start(inputs: usize) -> Self {
        let features = 2 * inputs;
        let mut list: Vec<f64> = [0.27, 1500.0, 0.09, 2.5, 0.027f64].iter().map(|v| v.ln()).collect();
        list.push(0.0);
        list.extend([0.45, 0.18, 0.18, 0.09f64].map(f64::ln));
        list.extend([400.0, 50.0, 8.0f64].map(f64::ln));
        // of many inputs each says less
        let share = 9.0 / inputs as f64;
        for map in 0..MAPS {
            let level = if map == 0 { 0.05 } else { 0.15 };
            list.extend(std::iter::repeat_n((level * share).ln(), inputs));
            list.extend(std::iter::repeat_n((0.005 * share).ln(), inputs));
        }
        Self { list, features }
    }

    /// Do they describe a covariance of rows with so many inputs?
    pub fn is_sound(&self, inputs: usize) -> bool {
        self.features == 2 * inputs
            && self.list.len() == SCALARS + MAPS * self.features
            && self.list.iter().all(|v| v.abs() < 50.0)
    }

    fn variance(&self, place: usize) -> f64 {
        (2.0 * self.list[place]).exp()
    }

    /// The same with an offset that deviates so many times as far.
    pub fn with_offset_times(&self, factor: f64) -> Self {
        let mut other = self.clone();
        other.list[0] += factor.ln();
        other
    }

    /// The same with an offset of this deviation, on the target's scale, and memory, in rows.
    pub fn with_offset(mut self, deviation: f64, memory: f64) -> Self {
        self.list[0] = deviation.ln();
        self.list[1] = memory.ln();
        self
    }

    fn map_variance(&self, map: usize) -> f64 {
        self.variance(6 + map)
    }

    fn weights(&self, map: usize) -> &[f64] {
        let from = SCALARS + map * self.features;
        &self.list[from..from + self.features]
    }

    fn noise(&self, movement: f64) -> f64 {
        // never nothing: the factor needs it
        (2.0 * self.list[4] + self.list[5] * movement).exp() + 1e-8
    }

    /// Where the memory of a map stands; the first has none.
    fn memory(map: usize) -> Option<usize> {
        map.checked_sub(1).map(|later| 6 + MAPS + later)
    }

    /// exp(−lag / memory) for every lag.
    fn decay(&self, place: usize, lags: usize) -> Vec<f64> {
        let memory = self.list[place].exp();
        (0..=lags).map(|lag| (-(lag as f64) / memory).exp()).collect()
    }

    fn decays(&self, lags: usize) -> Decays {
        Decays {
            offset: self.decay(1, lags),
            auto: self.decay(3, lags),
            maps: std::array::from_fn(|map| match Self::memory(map) {
                Some(place) => self.decay(place, lags),
                None => vec![1.0; lags + 1],
            }),
        }
    }

    /// Variance of a row before anything is known, noise included.
    pub fn prior_variance(&self, movement: f64) -> f64 {
        let maps: f64 = (0..MAPS).map(|map| self.map_variance(map)).sum();
        self.variance(0) + self.variance(2) + maps + self.noise(movement)
    }
}

struct Decays {
    offset: Vec<f64>,
    auto: Vec<f64>,
    maps: [Vec<f64>; MAPS],
}

/// √3 · the scaled distances of one map, rows × columns.
type Distances = [Mat<f64>; MAPS];

/// A covariance matrix and the distances that it stands on.
pub struct Covariance {
    /// The matrix.
    pub matrix: Mat<f64>,
    distances: Distances,
}

fn scaled(constants: &Constants, frame: &Frame, rows: &[usize], map: usize) -> Mat<f64> {
    let roots: Vec<f64> = constants.weights(map).iter().map(|w| (0.5 * w).exp()).collect();
    Mat::from_fn(rows.len(), roots.len(), |i, d| frame.features[rows[i]][d] * roots[d])
}

fn distances(constants: &Constants, frame: &Frame, a: &[usize], b: &[usize], lower: bool) -> Distances {
    std::array::from_fn(|map| {
        let (xa, xb) = (scaled(constants, frame, a, map), scaled(constants, frame, b, map));
        let square = |x: &Mat<f64>| -> Vec<f64> {
            (0..x.nrows())
                .map(|i| (0..x.ncols()).map(|d| x[(i, d)].powi(2)).sum())
                .collect()
        };
        let (sa, sb) = (square(&xa), square(&xb));
        let mut out = Mat::zeros(a.len(), b.len());
        if lower {
            matmul::triangular::matmul(
                out.as_mut(),
                BlockStructure::TriangularLower,
                Accum::Replace,
                xa.as_ref(),
                BlockStructure::Rectangular,
                xb.transpose(),
                BlockStructure::Rectangular,
                1.0,
                Par::Seq,
            );
        } else {
            matmul::matmul(out.as_mut(), Accum::Replace, xa.as_ref(), xb.transpose(), 1.0, Par::Seq);
        }
        for (j, &sb) in sb.iter().enumerate() {
            let column = out.col_as_slice_mut(j);
            let from = if lower { j } else { 0 };
            for (v, &sa) in column.iter_mut().zip(&sa).skip(from) {
                *v = (3.0 * (sa + sb - 2.0 * *v).max(0.0)).sqrt();
            }
        }
        out
    })
}

fn fill(constants: &Constants, a: &[usize], b: &[usize], distances: &Distances, lower: bool) -> Mat<f64> {
    let lag = |i: usize, j: usize| a[i].abs_diff(b[j]);
    let lags = match (a.first(), a.last(), b.first(), b.last()) {
        (Some(a0), Some(a1), Some(b0), Some(b1)) => a1.max(b1) - a0.min(b0),
        _ => 0,
    };
    let decays = constants.decays(lags);
    let (offset, auto) = (constants.variance(0), constants.variance(2));
    let maps: [f64; MAPS] = std::array::from_fn(|map| constants.map_variance(map));
    let mut matrix = Mat::zeros(a.len(), b.len());
    for j in 0..b.len() {
        let columns: [&[f64]; MAPS] = std::array::from_fn(|map| distances[map].col_as_slice(j));
        let out = matrix.col_as_slice_mut(j);
        for i in if lower { j } else { 0 }..a.len() {
            let lag = lag(i, j);
            let mut sum = offset * decays.offset[lag] + auto * decays.auto[lag];
            for map in 0..MAPS {
                let r = columns[map][i];
                sum += maps[map] * decays.maps[map][lag] * (1.0 + r) * (-r).exp();
            }
            out[i] = sum;
        }
    }
    matrix
}

impl Covariance {
    /// Of rows among themselves, noise on the diagonal; the lower triangle alone is filled. Rows ascend.
    pub fn among(constants: &Constants, frame: &Frame, rows: &[usize]) -> Self {
        let distances = distances(constants, frame, rows, rows, true);
        let mut matrix = fill(constants, rows, rows, &distances, true);
        for (i, &row) in rows.iter().enumerate() {
            matrix[(i, i)] += constants.noise(frame.movement[row]);
        }
        Self { matrix, distances }
    }

    /// Of rows with other rows, both ascending.
    pub fn between(constants: &Constants, frame: &Frame, a: &[usize], b: &[usize]) -> Mat<f64> {
        let distances = distances(constants, frame, a, b, false);
        fill(constants, a, b, &distances, false)
    }

    /// The gradient of a loss by the constants, from its symmetric gradient by the matrix.
    pub fn gradient(&self, constants: &Constants, frame: &Frame, rows: &[usize], by_matrix: &Mat<f64>) -> Vec<f64> {
        let n = rows.len();
        let lags = rows.last().zip(rows.first()).map_or(0, |(b, a)| b - a);
        let decays = constants.decays(lags);
        let memory: Vec<f64> = constants.list.iter().map(|v| v.exp()).collect();
        let mut gradient = vec![0.0; constants.list.len()];
        let (offset, auto) = (constants.variance(0), constants.variance(2));
        let mut pulls: [Mat<f64>; MAPS] = std::array::from_fn(|_| Mat::zeros(n, n));
        for j in 0..n {
            for i in j..n {
                let by = by_matrix[(i, j)];
                let both = if i == j { by } else { 2.0 * by };
                let lag = rows[i] - rows[j];
                let age = lag as f64;
                let (o, a) = (offset * decays.offset[lag] * both, auto * decays.auto[lag] * both);
                gradient[0] += 2.0 * o;
                gradient[1] += o * age / memory[1];
                gradient[2] += 2.0 * a;
                gradient[3] += a * age / memory[3];
                for map in 0..MAPS {
                    let scale = constants.map_variance(map) * decays.maps[map][lag];
                    let r = self.distances[map][(i, j)];
                    let fall = (-r).exp();
                    let k = both * scale * (1.0 + r) * fall;
                    gradient[6 + map] += 2.0 * k;
                    if let Some(place) = Constants::memory(map) {
                        gradient[place] += k * age / memory[place];
                    }
                    // d((1 + r)·exp(−r))/d(distance²), r = √3·distance
                    let pull = by * scale * -1.5 * fall;
                    pulls[map][(i, j)] = pull;
                    pulls[map][(j, i)] = pull;
                }
            }
            let movement = frame.movement[rows[j]];
            let noise = constants.noise(movement) * by_matrix[(j, j)];
            gradient[4] += 2.0 * noise;
            gradient[5] += noise * movement;
        }
        let x = Mat::from_fn(n, constants.features, |i, d| frame.features[rows[i]][d]);
        for (map, pull) in pulls.iter().enumerate() {
            let mut weighted = Mat::<f64>::zeros(n, constants.features);
            matmul::matmul(
                weighted.as_mut(),
                Accum::Replace,
                pull.as_ref(),
                x.as_ref(),
                1.0,
                Par::Seq,
            );
            let sums: Vec<f64> = (0..n).map(|j| pull.col_as_slice(j).iter().sum()).collect();
            for d in 0..constants.features {
                // Σ pull·(x_i − x_j)² over all pairs
                let g: f64 = (0..n)
                    .map(|i| 2.0 * x[(i, d)] * (sums[i] * x[(i, d)] - weighted[(i, d)]))
                    .sum();
                let place = SCALARS + map * constants.features + d;
                gradient[place] = g * memory[place];
            }
        }
        gradient
    }
}
