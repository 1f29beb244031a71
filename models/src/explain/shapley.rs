//! Shapley values of one tree.
//!
//! Path-dependent TreeSHAP plays this game: a coalition of known inputs is worth what the tree predicts on average when a row goes
//! its own way at splits on known inputs, and both ways, in proportion to the training rows, at the others. A leaf with value v then
//! counts v·∏ₖ(oₖ if k is known, else zₖ) over the inputs k on its path, where oₖ is 1 if the row would pass all splits on k and
//! zₖ is the share of the training rows that do.
//!
//! A Shapley value is an integral (G. Owen, Management Science 18, 1972): let every other input be known with probability t, then
//! average over t from 0 to 1. That turns a leaf's part in the value of input i into v·(oᵢ − zᵢ)·∫∏ₖ≠ᵢ(t·oₖ + (1 − t)·zₖ) dt, a
//! polynomial, which Gauss–Legendre quadrature integrates exactly. So one pass through the tree with a product for each point
//! does, as in Linear TreeSHAP (P. Yu et al., NeurIPS 2022): O(nodes · inputs), for trees of any depth. No factor is 0, since
//! every child has training rows.

use super::quadrature::Rule;
use crate::forest::Node;

/// What a tree gives to each input, and without any.
pub struct Shares {
    pub base: f64,
    pub inputs: Vec<f64>,
}

/// Shares of the inputs in what the tree predicts for this row.
pub fn tree(nodes: &[Node], row: &[f32], is_counted: bool, rule: &Rule) -> Shares {
    match rule.points.len() {
        4 => with_points::<4>(nodes, row, is_counted, rule),
        8 => with_points::<8>(nodes, row, is_counted, rule),
        16 => with_points::<16>(nodes, row, is_counted, rule),
        32 => with_points::<32>(nodes, row, is_counted, rule),
        _ => with_points::<128>(nodes, row, is_counted, rule),
    }
}

/// How an input stands on the path so far: would the row have come here, and which share of the training rows did.
#[derive(Clone, Copy)]
struct Standing {
    own: f64,
    share: f64,
}

/// A node on the path, with the edge that leads to it.
struct Step<const Q: usize> {
    node: usize,
    /// How many of its children are done.
    done: u8,
    /// The input of the edge, and how it stood before.
    input: usize,
    before: Standing,
    /// For each point: the product over the inputs of the path; the sum over the leaves below of product and value.
    product: [f64; Q],
    below: [f64; Q],
}

fn with_points<const Q: usize>(nodes: &[Node], row: &[f32], is_counted: bool, rule: &Rule) -> Shares {
    let rows = rows_below(nodes, is_counted);
    let pad = |list: &[f64], rest: f64| std::array::from_fn(|i| list.get(i).copied().unwrap_or(rest));
    let (points, weights): ([f64; Q], [f64; Q]) = (pad(&rule.points, 0.5), pad(&rule.weights, 0.0));
    let factors = |s: Standing| points.map(|t| t * s.own + (1.0 - t) * s.share);
    let mut standing = vec![Standing { own: 1.0, share: 1.0 }; row.len()];
    let mut shares = Shares {
        base: base(nodes, &rows),
        inputs: vec![0.0; row.len()],
    };
    let mut path: Vec<Step<Q>> = vec![Step {
        node: 0,
        done: 0,
        input: 0,
        before: standing[0],
        product: [1.0; Q],
        below: [0.0; Q],
    }];
    while let Some(step) = path.last_mut() {
        let node = nodes[step.node];
        if !node.is_leaf() && step.done < 2 {
            let is_left = step.done == 0;
            step.done += 1;
            let child = step.node + if is_left { 1 } else { node.right() };
            let input = node.input();
            let before = standing[input];
            let is_own = (row[input] <= node.number()) == is_left;
            let after = Standing {
                own: if is_own { before.own } else { 0.0 },
                share: before.share * (rows[child] / rows[step.node]),
            };
            standing[input] = after;
            let (old, new) = (factors(before), factors(after));
            let product = std::array::from_fn(|q| step.product[q] * (new[q] / old[q]));
            path.push(Step {
                node: child,
                done: 0,
                input,
                before,
                product,
                below: [0.0; Q],
            });
            continue;
        }
        if node.is_leaf() {
            let value = f64::from(node.number());
            step.below = step.product.map(|p| p * value);
        }
        let (input, before, below) = (step.input, step.before, step.below);
        path.pop();
        let Some(parent) = path.last_mut() else { break };
        let after = std::mem::replace(&mut standing[input], before);
        // the leaves below this edge count with how the input stands here, and no longer as it stood before
        let (old, new) = (factors(before), factors(after));
        let (gap, old_gap) = (after.own - after.share, before.own - before.share);
        let terms: [f64; Q] = std::array::from_fn(|q| weights[q] * below[q] * (gap / new[q] - old_gap / old[q]));
        shares.inputs[input] += terms.iter().sum::<f64>();
        parent.below = std::array::from_fn(|q| parent.below[q] + below[q]);
    }
    shares
}

/// Training rows that reached each node.
fn rows_below(nodes: &[Node], is_counted: bool) -> Vec<f64> {
    let mut rows = vec![0.0; nodes.len()];
    // children lie behind their parents
    for (place, node) in nodes.iter().enumerate().rev() {
        rows[place] = match (node.is_leaf(), is_counted) {
            (true, true) => f64::from(node.rows()),
            (true, false) => 1.0,
            (false, _) => rows[place + 1] + rows[place + node.right()],
        };
    }
    rows
}

fn base(nodes: &[Node], rows: &[f64]) -> f64 {
    let leaves = nodes.iter().zip(rows).filter(|(node, _)| node.is_leaf());
    let sum: f64 = leaves.map(|(node, rows)| f64::from(node.number()) * rows).sum();
    sum / rows[0]
}
