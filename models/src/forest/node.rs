//! A node in eight bytes.

/// A node of a tree in pre-order. Children always lie behind their parent, so that walking down ends.
///
/// Eight bytes, so that a tree of 44 000 nodes stays in the second cache while rows walk through it.
#[derive(Clone, Copy, PartialEq)]
#[repr(C)]
pub struct Node {
    /// In a split the threshold, in a leaf the value.
    number: f32,
    /// Low byte: the input asked; [`LEAF`] in a leaf. The rest: in a split how far behind it the right child lies (the left one
    /// is the next node), in a leaf its training rows.
    rest: u32,
}

const LEAF: u32 = 0xff;

impl Node {
    /// Most inputs of a forest.
    pub const MOST_INPUTS: usize = LEAF as usize;
    /// Most nodes of a tree, and most training rows.
    pub const MOST: usize = (u32::MAX >> 8) as usize;

    /// A split whose right child is not known yet: a row goes left when this input is at most the threshold.
    #[inline(always)]
    pub(crate) fn split(input: usize, threshold: f32) -> Self {
        Self {
            number: threshold,
            rest: input as u32,
        }
    }

    /// The split with its right child so far behind it.
    #[inline(always)]
    pub(crate) fn with_right(self, distance: usize) -> Self {
        Self {
            number: self.number,
            rest: self.rest & LEAF | (distance as u32) << 8,
        }
    }

    /// A leaf with the mean of its training rows, and how many there were (more than [`Node::MOST`] count as that; 0: unknown).
    #[inline(always)]
    pub(crate) fn leaf(value: f64, rows: usize) -> Self {
        Self {
            number: value as f32,
            rest: LEAF | (rows.min(Self::MOST) as u32) << 8,
        }
    }

    /// A split on this input without its right child; without an input a leaf of one row.
    #[inline(always)]
    pub(crate) fn of_code(number: f32, input: Option<u8>) -> Self {
        let rest = input.map_or(LEAF | 1 << 8, u32::from);
        Self { number, rest }
    }

    /// Is it a leaf?
    #[inline(always)]
    pub fn is_leaf(self) -> bool {
        self.rest & LEAF == LEAF
    }

    /// The input asked; in a leaf [`Node::MOST_INPUTS`].
    #[inline(always)]
    pub fn input(self) -> usize {
        (self.rest & LEAF) as usize
    }

    /// A split's threshold; a leaf's value.
    #[inline(always)]
    pub fn number(self) -> f32 {
        self.number
    }

    /// How far behind a split its right child lies.
    #[inline(always)]
    pub fn right(self) -> usize {
        (self.rest >> 8) as usize
    }

    /// A leaf's training rows; 0 where they are not known.
    #[inline(always)]
    pub fn rows(self) -> u32 {
        self.rest >> 8
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_leaf() {
            write!(f, "Leaf({}, {} rows)", self.number, self.rows())
        } else {
            let (input, right) = (self.input(), self.right());
            write!(f, "Split({input} <= {}, right +{right})", self.number)
        }
    }
}
