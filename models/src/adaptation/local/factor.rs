//! Cholesky's factor of a covariance and what is solved with it.

use faer::{
    Mat, Par,
    dyn_stack::{MemBuffer, MemStack},
    linalg::{cholesky::llt::factor, triangular_solve},
};

/// L of K = L·Lᵀ; above the diagonal lies what was there before.
pub struct Factor(pub Mat<f64>);

impl Factor {
    /// Factors a matrix of which the lower triangle is read; none where it is not positive definite.
    pub fn of(mut matrix: Mat<f64>) -> Option<Self> {
        let scratch = factor::cholesky_in_place_scratch::<f64>(matrix.nrows(), Par::Seq, Default::default());
        let mut memory = MemBuffer::new(scratch);
        let stack = MemStack::new(&mut memory);
        factor::cholesky_in_place(matrix.as_mut(), Default::default(), Par::Seq, stack, Default::default()).ok()?;
        Some(Self(matrix))
    }

    /// L⁻¹·values: each value less what the ones before it said, in deviations.
    pub fn whiten(&self, values: &[f64]) -> Vec<f64> {
        let mut out = Mat::from_fn(values.len(), 1, |i, _| values[i]);
        triangular_solve::solve_lower_triangular_in_place(self.0.as_ref(), out.as_mut(), Par::Seq);
        out.col_as_slice(0).to_vec()
    }

    /// L⁻¹·columns, in place.
    pub fn whiten_columns(&self, columns: &mut Mat<f64>) {
        triangular_solve::solve_lower_triangular_in_place(self.0.as_ref(), columns.as_mut(), Par::Seq);
    }

    /// L⁻ᵀ·columns, in place.
    pub fn unwhiten_transposed(&self, columns: &mut Mat<f64>) {
        triangular_solve::solve_upper_triangular_in_place(self.0.transpose(), columns.as_mut(), Par::Seq);
    }
}
