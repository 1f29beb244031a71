//! Walking down trees, several cursors at a time: while one waits for the memory, others go on.

use super::Node;

/// A row with room behind its inputs: leaves ask for the last lane, which sends them nowhere. `S` is a power of two.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub struct Padded<const S: usize>([f32; S]);

impl<const S: usize> Padded<S> {
    /// Takes a row of fewer than `S` inputs.
    pub fn new(row: &[f32]) -> Self {
        let mut lanes = [f32::NEG_INFINITY; S];
        lanes[..row.len()].copy_from_slice(row);
        Self(lanes)
    }
}

/// The values of the leaves that cursors reach from where they begin, each with its row.
#[inline(always)]
pub fn walk<'a, const S: usize, const CURSORS: usize>(
    nodes: &[Node],
    mut at: [usize; CURSORS],
    row: impl Fn(usize) -> &'a Padded<S>,
) -> [f32; CURSORS] {
    loop {
        let mut moved = 0;
        for (cursor, at) in at.iter_mut().enumerate() {
            let node = nodes[*at];
            // of a leaf: −∞, at most any value
            let goes_left = row(cursor).0[node.input() & (S - 1)] <= node.number();
            let next = usize::from(!node.is_leaf());
            let step = if goes_left { next } else { node.right() };
            *at += step;
            moved |= step;
        }
        if moved == 0 {
            return at.map(|at| nodes[at].number());
        }
    }
}
