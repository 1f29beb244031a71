//! The columns of a window: cells of a grid that stands still while the window moves, so that a column shows the same
//! readings in every window that has it whole.

/// Cells `origin + i · step`, the first and the last cut at the window's ends. Times are microseconds.
#[derive(Debug)]
pub struct Grid {
    from: i64,
    to: i64,
    origin: i64,
    step: i64,
    len: usize,
}

/// Times beyond are nobody's: 36 000 years from 1970.
pub const FAR: i64 = 1 << 60;

impl Grid {
    /// At most `width` cells over `from..to`, as short as that allows, each a multiple of `unit` long. A
    /// single column is the window itself. `None` for an empty window.
    pub fn new(from: i64, to: i64, width: u32, unit: i64) -> Option<Self> {
        let (from, to) = (from.clamp(-FAR, FAR), to.clamp(-FAR, FAR));
        if to <= from || width == 0 {
            return None;
        }
        let span = to - from;
        if width == 1 {
            return Some(Self {
                from,
                to,
                origin: from,
                step: span,
                len: 1,
            });
        }
        // one cell less than there may be: a window seldom begins where a cell does
        let step = div_ceil(div_ceil(span, i64::from(width) - 1), unit) * unit;
        let first = from.div_euclid(step);
        Some(Self {
            from,
            to,
            origin: first * step,
            step,
            len: ((to - 1).div_euclid(step) - first + 1) as usize,
        })
    }

    /// First time of the window, and first time after it.
    pub fn ends(&self) -> (i64, i64) {
        (self.from, self.to)
    }

    /// How many cells.
    pub fn len(&self) -> usize {
        self.len
    }

    /// First time of cell `i`, and first time after it.
    pub fn cell(&self, i: usize) -> (i64, i64) {
        let start = self.origin + i as i64 * self.step;
        (start.max(self.from), (start + self.step).min(self.to))
    }

    /// The cell that holds this time of the window.
    pub fn cell_of(&self, time: i64) -> usize {
        ((time - self.origin) / self.step) as usize
    }
}

fn div_ceil(a: i64, b: i64) -> i64 {
    a / b + i64::from(a % b > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cells_cover_the_window_without_gap_and_are_not_too_many() {
        for (from, to) in [(0, 10), (-7, 1), (0, 3), (1_000_003, 99_999_999), (i64::MIN, i64::MAX)] {
            for width in [1, 2, 3, 7, 1000] {
                for unit in [1, 5, 1_000_000] {
                    let grid = Grid::new(from, to, width, unit).unwrap();
                    let (mut open, end) = grid.ends();
                    assert!(grid.len() <= width as usize);
                    for i in 0..grid.len() {
                        let (t0, t1) = grid.cell(i);
                        assert!(t0 == open && t0 < t1, "{grid:?} {i}");
                        assert_eq!((grid.cell_of(t0), grid.cell_of(t1 - 1)), (i, i), "{grid:?}");
                        open = t1;
                    }
                    assert_eq!(open, end, "{grid:?}");
                }
            }
        }
    }

    #[test]
    fn a_window_that_moves_keeps_its_inner_cells() {
        let cells = |from| {
            let grid = Grid::new(from, from + 1000, 10, 1).unwrap();
            (1..grid.len() - 1).map(|i| grid.cell(i)).collect::<Vec<_>>()
        };
        assert_eq!(cells(24)[1..], cells(130)[..7]);
    }
}
