//! The trees of a TreeEnsembleRegressor. Its nodes stand in lists side by side and name their children by ids in any order: ids that
//! do not exist, stand twice, loop, or lead to one node from two, are refused, so that what is left are trees.

use super::attributes::Attributes;
use crate::forest::Node;

/// The operator's attributes, checked for what they mean.
pub struct Ensemble<'a> {
    ids: Ids,
    /// Where each tree begins among the ids, and the end.
    trees: Vec<usize>,
    /// By place in the file's lists:
    features: &'a [i64],
    thresholds: Vec<f64>,
    is_leaf: Vec<bool>,
    true_ids: &'a [i64],
    false_ids: &'a [i64],
    /// What a leaf adds to the mean of the trees.
    values: Vec<f64>,
}

/// Nodes in the order of tree and id: (tree, id, place in the lists).
struct Ids(Vec<(i64, i64, usize)>);

impl Ids {
    /// Where the node stands in `self`. Ids are mostly 0, 1, 2 …: looked for there first.
    fn find(&self, start: usize, end: usize, node: i64) -> Option<usize> {
        let within = &self.0[start..end];
        let near = usize::try_from(node)
            .ok()
            .filter(|n| within.get(*n).is_some_and(|id| id.1 == node));
        let found = near.or_else(|| within.binary_search_by_key(&node, |id| id.1).ok());
        found.map(|n| start + n)
    }
}

/// A sentence about a node of a tree.
fn at(tree: i64, node: i64, message: impl std::fmt::Display) -> String {
    format!("tree {tree}, node {node}: {message}")
}

impl<'a> Ensemble<'a> {
    /// Reads the attributes.
    pub fn read(node: &'a super::schema::Node) -> Result<Self, String> {
        let attributes = Attributes(node);
        let targets = attributes.int("n_targets")?.unwrap_or(1);
        if targets != 1 {
            return Err(format!("n_targets is {targets}; supported is 1"));
        }
        let transform = attributes.word("post_transform", "NONE")?;
        if transform != "NONE" {
            return Err(format!("post_transform is {transform}; supported is NONE"));
        }
        let tree_ids = attributes.all_ints("nodes_treeids")?;
        let count = tree_ids.len();
        if count == 0 {
            return Err("nodes_treeids is missing or empty".to_owned());
        }
        let node_ids = attributes.ints("nodes_nodeids", count)?;
        let mut ids: Vec<_> = (0..count)
            .map(|place| (tree_ids[place], node_ids[place], place))
            .collect();
        ids.sort_unstable();
        if let Some(pair) = ids
            .windows(2)
            .find(|pair| (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1))
        {
            return Err(at(pair[0].0, pair[0].1, "it stands twice"));
        }
        let mut trees: Vec<usize> = (0..count).filter(|&i| i == 0 || ids[i].0 != ids[i - 1].0).collect();
        trees.push(count);
        let mut is_leaf = Vec::with_capacity(count);
        for (place, mode) in attributes.words("nodes_modes", count)?.iter().enumerate() {
            is_leaf.push(match &mode[..] {
                b"LEAF" => true,
                b"BRANCH_LEQ" => false,
                other => {
                    let message = format!(
                        "mode {}; supported are BRANCH_LEQ and LEAF",
                        String::from_utf8_lossy(other)
                    );
                    return Err(at(tree_ids[place], node_ids[place], message));
                }
            });
        }
        let tracks = attributes.all_ints("nodes_missing_value_tracks_true")?;
        if let Some(place) = tracks.iter().take(count).position(|track| *track != 0) {
            let message = "a missing value goes left; supported are forests without missing values";
            return Err(at(tree_ids[place], node_ids[place], message));
        }
        let mut ensemble = Self {
            trees,
            features: attributes.ints("nodes_featureids", count)?,
            thresholds: attributes.numbers("nodes_values", count)?,
            is_leaf,
            true_ids: attributes.ints("nodes_truenodeids", count)?,
            false_ids: attributes.ints("nodes_falsenodeids", count)?,
            values: vec![0.0; count],
            ids: Ids(ids),
        };
        ensemble.read_leaves(&attributes)?;
        Ok(ensemble)
    }

    fn read_leaves(&mut self, attributes: &Attributes<'_>) -> Result<(), String> {
        let trees = (self.trees.len() - 1) as f64;
        // a forest here is the mean of its trees
        let scale = match attributes.word("aggregate_function", "SUM")? {
            "SUM" => trees,
            "AVERAGE" => 1.0,
            other => return Err(format!("aggregate_function is {other}; supported are SUM and AVERAGE")),
        };
        let base = match attributes.all_numbers("base_values")?[..] {
            [] => 0.0,
            [base] => base,
            ref other => return Err(format!("base_values has {} entries for one target", other.len())),
        };
        let tree_ids = attributes.all_ints("target_treeids")?;
        let node_ids = attributes.ints("target_nodeids", tree_ids.len())?;
        let targets = attributes.ints("target_ids", tree_ids.len())?;
        let weights = attributes.numbers("target_weights", tree_ids.len())?;
        for (((&tree, &node), &target), weight) in tree_ids.iter().zip(node_ids).zip(targets).zip(weights) {
            if target != 0 {
                return Err(at(tree, node, format!("target {target}; there is only target 0")));
            }
            let found = self
                .tree_of(tree)
                .and_then(|(start, end)| self.ids.find(start, end, node));
            let place = found.map(|i| self.ids.0[i].2).filter(|&place| self.is_leaf[place]);
            let place = place.ok_or_else(|| at(tree, node, "a weight is given for it, and it is no leaf"))?;
            self.values[place] += weight * scale;
        }
        self.values.iter_mut().for_each(|value| *value += base);
        Ok(())
    }

    fn tree_of(&self, tree: i64) -> Option<(usize, usize)> {
        let begin = |t: &usize| self.ids.0[*t].0;
        let starts = &self.trees[..self.trees.len() - 1];
        let found = starts.binary_search_by_key(&tree, begin).ok()?;
        Some((self.trees[found], self.trees[found + 1]))
    }

    /// The trees as they are walked here, for so many inputs.
    pub fn trees(&self, inputs: usize) -> Result<Vec<Vec<Node>>, String> {
        let borders = self.trees.windows(2);
        borders.map(|border| self.tree(border[0], border[1], inputs)).collect()
    }

    /// The tree of these ids, in pre-order.
    fn tree(&self, start: usize, end: usize, inputs: usize) -> Result<Vec<Node>, String> {
        let ids = &self.ids.0[start..end];
        let number = ids[0].0;
        if ids.len() > Node::MOST {
            return Err(format!(
                "tree {number} has {} nodes; at most {} are supported",
                ids.len(),
                Node::MOST
            ));
        }
        let children = self.children(start, end)?;
        let mut is_child = vec![false; ids.len()];
        for (i, pair) in children.iter().enumerate() {
            for &child in pair.iter().flatten() {
                if std::mem::replace(&mut is_child[child], true) {
                    return Err(at(
                        number,
                        ids[child].1,
                        format!("it is a child twice, of node {} too", ids[i].1),
                    ));
                }
            }
        }
        let mut roots = (0..ids.len()).filter(|i| !is_child[*i]);
        let (Some(root), None) = (roots.next(), roots.next()) else {
            let count = is_child.iter().filter(|is| !**is).count();
            return Err(format!(
                "tree {number} has {count} roots, nodes that are no node's child; expected is 1"
            ));
        };
        // no node has two parents, and the root has none: walking down ends
        let mut nodes: Vec<Node> = Vec::with_capacity(ids.len());
        let mut stack: Vec<(usize, Option<usize>)> = vec![(root, None)];
        while let Some((i, right_of)) = stack.pop() {
            let place = nodes.len();
            if let Some(parent) = right_of {
                nodes[parent] = nodes[parent].with_right(place - parent);
            }
            nodes.push(
                self.node(ids[i].2, inputs)
                    .map_err(|message| at(number, ids[i].1, message))?,
            );
            if let Some([left, right]) = children[i] {
                stack.push((right, Some(place)));
                stack.push((left, None));
            }
        }
        if nodes.len() == ids.len() {
            Ok(nodes)
        } else {
            let lost = ids.len() - nodes.len();
            Err(format!(
                "tree {number}: {lost} nodes are not reached from its root, node {}",
                ids[root].1
            ))
        }
    }

    /// Where the children of each node stand among the tree's ids; none of a leaf.
    fn children(&self, start: usize, end: usize) -> Result<Vec<Option<[usize; 2]>>, String> {
        let of = |&(tree, id, place): &(i64, i64, usize)| {
            let child = |list: &[i64]| {
                let found = self.ids.find(start, end, list[place]);
                let message = || at(tree, id, format!("its child {} does not exist", list[place]));
                found.map(|i| i - start).ok_or_else(message)
            };
            match self.is_leaf[place] {
                true => Ok(None),
                false => Ok(Some([child(self.true_ids)?, child(self.false_ids)?])),
            }
        };
        self.ids.0[start..end].iter().map(of).collect()
    }

    /// The node at this place of the lists.
    fn node(&self, place: usize, inputs: usize) -> Result<Node, String> {
        if self.is_leaf[place] {
            let value = self.values[place];
            let is_number = (value as f32).is_finite();
            return match is_number {
                true => Ok(Node::leaf(value, 0)),
                false => Err(format!("value {value}")),
            };
        }
        let feature = self.features[place];
        let input = usize::try_from(feature).ok().filter(|input| *input < inputs);
        let input = input.ok_or_else(|| format!("it asks input {feature}; there are {inputs}"))?;
        let threshold = self.thresholds[place];
        let narrow = floor(threshold).ok_or_else(|| format!("threshold {threshold}"))?;
        Ok(Node::split(input, narrow))
    }
}

/// The greatest f32 that is not above the threshold: inputs are f32, and go the way they went with the threshold in f64.
fn floor(threshold: f64) -> Option<f32> {
    let nearest = threshold as f32;
    let floor = if f64::from(nearest) > threshold {
        nearest.next_down()
    } else {
        nearest
    };
    floor.is_finite().then_some(floor)
}
