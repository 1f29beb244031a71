//! Gauss–Legendre quadrature on 0 … 1.

/// Points and weights.
pub struct Rule {
    /// The points, within 0 and 1.
    pub points: Vec<f64>,
    /// Their weights; they add up to 1.
    pub weights: Vec<f64>,
}

impl Rule {
    /// A rule that is exact for products of one factor, linear in the point, for each of so many inputs but one: polynomials of degree
    /// `inputs − 1`, for which half as many points do. The number of points is a power of two, for the processor's vectors.
    pub fn new(inputs: usize) -> Self {
        let n = inputs.div_ceil(2).next_power_of_two().max(4);
        let root = |i: usize| {
            // Newton's iteration from Tricomi's approximation of the root of Legendre's polynomial
            let mut x = (std::f64::consts::PI * (i as f64 + 0.75) / (n as f64 + 0.5)).cos();
            let mut slope = 1.0;
            for _ in 0..20 {
                let value;
                (value, slope) = legendre(n, x);
                x -= value / slope;
            }
            (x, 2.0 / ((1.0 - x * x) * slope * slope))
        };
        let (points, weights) = (0..n).map(root).map(|(x, w)| ((x + 1.0) / 2.0, w / 2.0)).unzip();
        Self { points, weights }
    }
}

/// Legendre's polynomial of degree n and its derivative.
fn legendre(n: usize, x: f64) -> (f64, f64) {
    let (mut before, mut value) = (1.0, x);
    for k in 2..=n {
        let k = k as f64;
        (before, value) = (value, ((2.0 * k - 1.0) * x * value - (k - 1.0) * before) / k);
    }
    (value, n as f64 * (x * value - before) / (x * x - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_are_integrated_exactly() {
        for inputs in [1, 9, 16, 40, 255] {
            let rule = Rule::new(inputs);
            for degree in [0, inputs / 2, inputs - 1] {
                let terms = rule.points.iter().zip(&rule.weights);
                let integral: f64 = terms.map(|(t, w)| w * t.powi(degree as i32)).sum();
                let expected = 1.0 / (degree as f64 + 1.0);
                assert!(
                    (integral - expected).abs() < 1e-12,
                    "{inputs} inputs, degree {degree}: {integral}"
                );
            }
        }
    }
}
