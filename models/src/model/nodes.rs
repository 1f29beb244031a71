//! The forest's section of a model file. Numbers little-endian.
//!
//! ```text
//! u32          inputs
//! u32          trees
//! u8           bits of a code: 4 or 8
//! u32 …        nodes of each tree
//! codes        one for each node, tree by tree in pre-order, the lower half of a byte first: the input a split asks; all ones for a
//!              leaf of one training row; one less for another leaf
//! f32 …        one for each node: a split's threshold, a leaf's value
//! LEB128 …     training rows of those other leaves; 0 where they are not known
//! ```
//!
//! A split's left child follows, and behind the left subtree the right one. There are no child indices: a file in which they loop
//! cannot be written.

use crate::forest::{ExtraTrees, Node};
use std::ops::Range;

/// Most inputs that a file holds: two of 256 codes are leaves.
pub const MOST_INPUTS: usize = 254;

pub fn to_bytes(forest: &ExtraTrees) -> Vec<u8> {
    let bits = if forest.inputs <= 14 { 4 } else { 8 };
    let alone = alone(bits);
    let mut out = Vec::with_capacity(forest.nodes.len() * 5 + forest.trees() * 4 + 16);
    out.extend((forest.inputs as u32).to_le_bytes());
    out.extend((forest.trees() as u32).to_le_bytes());
    out.push(bits);
    for tree in 0..forest.trees() {
        out.extend((forest.tree(tree).len() as u32).to_le_bytes());
    }
    let code = |node: &Node| match (node.is_leaf(), node.rows()) {
        (true, 1) => alone,
        (true, _) => alone - 1,
        (false, _) => node.input() as u8,
    };
    if bits == 4 {
        out.extend(
            forest
                .nodes
                .chunks(2)
                .map(|pair| code(&pair[0]) | pair.get(1).map_or(0, code) << 4),
        );
    } else {
        out.extend(forest.nodes.iter().map(code));
    }
    forest
        .nodes
        .iter()
        .for_each(|node| out.extend_from_slice(&node.number().to_le_bytes()));
    for count in forest.leaf_counts().filter(|n| *n != 1) {
        leb128(&mut out, count);
    }
    out
}

/// The code of a leaf of one row.
fn alone(bits: u8) -> u8 {
    if bits == 4 { 15 } else { 255 }
}

fn leb128(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

const CUT_SHORT: &str = "it is cut short";

/// The forest; memory grows with the bytes, never with a number that stands in them.
pub fn from_bytes(bytes: &[u8]) -> Result<ExtraTrees, String> {
    let mut reader = Reader(bytes);
    let head = (|| Some((reader.u32()? as usize, reader.u32()? as usize, reader.u8()?)))();
    let (inputs, trees, bits) = head.ok_or(CUT_SHORT)?;
    if inputs == 0 || trees == 0 || !matches!((inputs, bits), (..=14, 4) | (..=MOST_INPUTS, 8)) {
        return Err(format!("{inputs} inputs, {trees} trees, codes of {bits} bits"));
    }
    let lengths = trees.checked_mul(4).and_then(|n| reader.take(n)).ok_or(CUT_SHORT)?;
    let lengths = lengths
        .as_chunks::<4>()
        .0
        .iter()
        .map(|l| u32::from_le_bytes(*l) as usize);
    let mut roots = Vec::with_capacity(trees + 1);
    roots.push(0);
    let mut count = 0usize;
    for (tree, length) in lengths.enumerate() {
        count = count.saturating_add(length);
        let is_too_large = length > Node::MOST || u32::try_from(count).is_err();
        if length == 0 || is_too_large {
            return Err(format!("tree {tree} has {length} nodes"));
        }
        roots.push(count as u32);
    }
    let codes = reader.take(count.div_ceil(8 / usize::from(bits))).ok_or(CUT_SHORT)?;
    let numbers = count.checked_mul(4).and_then(|n| reader.take(n)).ok_or(CUT_SHORT)?;
    let (numbers, _) = numbers.as_chunks::<4>();
    let mut nodes = vec![Node::leaf(0.0, 1); count];
    let (mut unpacked, mut stack) = (Vec::new(), Vec::new());
    for tree in 0..trees {
        let (start, end) = (roots[tree] as usize, roots[tree + 1] as usize);
        unpack(codes, bits, start..end, &mut unpacked);
        let nodes = &mut nodes[start..end];
        let read = read_nodes(nodes, &unpacked, &numbers[start..end], inputs, alone(bits), &mut reader);
        let linked = read.and_then(|()| link(nodes, &mut stack));
        linked.map_err(|(node, message)| format!("tree {tree}, node {node}: {message}"))?;
    }
    if reader.0.is_empty() {
        Ok(ExtraTrees { inputs, roots, nodes })
    } else {
        Err("bytes behind the last tree".into())
    }
}

/// The codes of these nodes, a byte each.
fn unpack(codes: &[u8], bits: u8, nodes: Range<usize>, unpacked: &mut Vec<u8>) {
    unpacked.clear();
    if bits == 8 {
        unpacked.extend_from_slice(&codes[nodes]);
        return;
    }
    let pairs = &codes[nodes.start / 2..nodes.end.div_ceil(2)];
    unpacked.extend(pairs.iter().flat_map(|pair| [pair & 15, pair >> 4]));
    // a tree may begin in the middle of a byte
    unpacked.drain(..nodes.start % 2);
    unpacked.truncate(nodes.len());
}

/// Reads the nodes of a tree, splits not yet with their right children.
fn read_nodes(
    nodes: &mut [Node],
    codes: &[u8],
    numbers: &[[u8; 4]],
    inputs: usize,
    alone: u8,
    counts: &mut Reader<'_>,
) -> Result<(), (usize, String)> {
    let is_split = |code: u8| code < alone - 1;
    let is_wrong = |number: f32, code: u8| !number.is_finite() | (is_split(code) & (usize::from(code) >= inputs));
    let mut any_wrong = false;
    for ((node, number), &code) in nodes.iter_mut().zip(numbers).zip(codes) {
        let number = f32::from_le_bytes(*number);
        any_wrong |= is_wrong(number, code);
        *node = Node::of_code(number, is_split(code).then_some(code));
    }
    for (place, _) in codes.iter().enumerate().filter(|(_, code)| **code == alone - 1) {
        let count = counts.leb128().ok_or_else(|| (place, CUT_SHORT.to_owned()))?;
        nodes[place] = Node::leaf(f64::from(nodes[place].number()), count as usize);
    }
    if !any_wrong {
        return Ok(());
    }
    let each = numbers.iter().map(|number| f32::from_le_bytes(*number)).zip(codes);
    let wrong = each.enumerate().find(|(_, (number, code))| is_wrong(*number, **code));
    match wrong {
        Some((place, (number, code))) if number.is_finite() => Err((place, no_such_input(usize::from(*code), inputs))),
        Some((place, (number, code))) if is_split(*code) => Err((place, format!("threshold {number}"))),
        Some((place, (number, _))) => Err((place, format!("value {number}"))),
        None => Ok(()),
    }
}

/// Gives the splits their right children. From the last node to the first: `stack` holds the roots of the subtrees so far, of which a
/// split takes the last two.
fn link(nodes: &mut [Node], stack: &mut Vec<usize>) -> Result<(), (usize, String)> {
    // without a jump for the kind of node, which would be guessed wrongly half the time
    stack.resize(nodes.len() + 1, 0);
    let mut height = 0;
    for place in (0..nodes.len()).rev() {
        let taken = if nodes[place].is_leaf() { 0 } else { 2 };
        if height < taken {
            return Err((place, CUT_SHORT.to_owned()));
        }
        height -= taken;
        let linked = nodes[place].with_right(stack[height] - place * usize::from(taken > 0));
        nodes[place] = if taken > 0 { linked } else { nodes[place] };
        stack[height] = place;
        height += 1;
    }
    match height {
        1 => Ok(()),
        _ => Err((stack[height - 2], "the tree ends before its nodes".to_owned())),
    }
}

fn no_such_input(input: usize, inputs: usize) -> String {
    format!("input {input} does not exist; there are {inputs}")
}

/// The forest of version 1: u32 inputs, u32 trees, u8 width of a leaf's value (4: f32, 8: f64), then each tree in pre-order. A
/// split is its input (u8) and its threshold (f32). A leaf is 255, its value, and its number of training rows (LEB128).
pub fn from_bytes_1(bytes: &[u8]) -> Result<ExtraTrees, String> {
    let mut reader = Reader(bytes);
    let head = (|| Some((reader.u32()? as usize, reader.u32()? as usize, reader.u8()?)))();
    let (inputs, trees, width) = head.ok_or(CUT_SHORT)?;
    if inputs == 0 || inputs > Node::MOST_INPUTS || trees == 0 || !matches!(width, 4 | 8) {
        return Err(format!("{inputs} inputs, {trees} trees, values of {width} bytes"));
    }
    let mut forest = ExtraTrees {
        inputs,
        roots: vec![0],
        nodes: Vec::new(),
    };
    for tree in 0..trees {
        read_tree_1(&mut reader, width, &mut forest).map_err(|(node, m)| format!("tree {tree}, node {node}: {m}"))?;
        let end = u32::try_from(forest.nodes.len()).map_err(|_| "too many nodes")?;
        forest.roots.push(end);
    }
    if reader.0.is_empty() {
        Ok(forest)
    } else {
        Err("bytes behind the last tree".into())
    }
}

fn read_tree_1(reader: &mut Reader<'_>, width: u8, forest: &mut ExtraTrees) -> Result<(), (usize, String)> {
    let first = forest.nodes.len();
    let mut open: Vec<usize> = Vec::new();
    loop {
        let place = forest.nodes.len() - first;
        let wrong = |message: String| (place, message);
        let cut = || (place, CUT_SHORT.to_owned());
        let input = usize::from(reader.u8().ok_or_else(cut)?);
        if input != Node::MOST_INPUTS {
            let threshold = reader.f32().ok_or_else(cut)?;
            if input >= forest.inputs {
                return Err(wrong(no_such_input(input, forest.inputs)));
            }
            if !threshold.is_finite() {
                return Err(wrong(format!("threshold {threshold}")));
            }
            if place >= Node::MOST {
                return Err(wrong("too many nodes".to_owned()));
            }
            open.push(place);
            forest.nodes.push(Node::split(input, threshold));
            continue;
        }
        let value = match width {
            4 => reader.f32().map(f64::from),
            _ => reader.f64(),
        };
        let value = value.ok_or_else(cut)?;
        if !(value as f32).is_finite() {
            return Err(wrong(format!("value {value}")));
        }
        let count = reader.leb128().ok_or_else(cut)?;
        forest.nodes.push(Node::leaf(value, count as usize));
        let Some(split) = open.pop() else { return Ok(()) };
        let node = &mut forest.nodes[first + split];
        *node = node.with_right(place + 1 - split);
    }
}

/// What is left of some bytes.
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub fn u8(&mut self) -> Option<u8> {
        self.array().map(|[b]| b)
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn f32(&mut self) -> Option<f32> {
        self.array().map(f32::from_le_bytes)
    }

    fn f64(&mut self) -> Option<f64> {
        self.array().map(f64::from_le_bytes)
    }

    fn leb128(&mut self) -> Option<u32> {
        let mut value = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.u8()?;
            value |= u32::from(byte & 0x7f).checked_shl(shift)?;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }
}
