//! ONNX → model.

use super::{DOMAIN, OPERATOR, OnnxError, ensemble, schema};
use crate::{
    Imported, Input, Model, Origin, Target,
    forest::{ExtraTrees, Node},
};
use prost::{Message, bytes::Bytes};
use schema::{Size, data_type};

/// The model of an ONNX file's forest. `inputs` are names and units in the order of the graph's columns; `sha256` is that of the
/// file. Range, interval and training are unknown.
///
/// A prediction is the runtime's to the last digits of f32: a leaf here holds its part in the sum as f32, and trees are added in
/// f64.
///
/// # Errors
/// [`OnnxError`], which says what stands where and what is supported.
pub fn from_onnx(
    bytes: Vec<u8>,
    inputs: &[(String, String)],
    target: Target,
    sha256: String,
) -> Result<Model, OnnxError> {
    let taken = |i: usize| inputs[..i].iter().any(|before| before.0 == inputs[i].0);
    if let Some(i) = (0..inputs.len()).find(|&i| inputs[i].0.is_empty() || taken(i) || inputs[i].0 == target.name) {
        return Err(OnnxError::Name(inputs[i].0.clone()));
    }
    let file = schema::Model::decode(Bytes::from(bytes)).map_err(|e| OnnxError::NotOnnx(e.to_string()))?;
    let graph = file
        .graph
        .ok_or_else(|| OnnxError::NotOnnx("it has no graph".to_owned()))?;
    let node = the_forest(&graph)?;
    the_input(&graph, node, inputs.len())?;
    let wrong = |message: String| OnnxError::Node {
        node: display(node),
        message,
    };
    let ensemble = ensemble::Ensemble::read(node).map_err(wrong)?;
    let trees = ensemble.trees(inputs.len()).map_err(wrong)?;
    let input = |(name, unit): &(String, String)| Input {
        name: name.clone(),
        unit: unit.clone(),
        min: None,
        max: None,
    };
    Ok(Model {
        target,
        inputs: inputs.iter().map(input).collect(),
        forest: ExtraTrees::join(inputs.len(), &trees)?,
        envelope: None,
        interval: None,
        origin: Origin::Imported(Imported {
            format: "onnx".to_owned(),
            sha256,
            producer: format!("{} {}", file.producer_name, file.producer_version)
                .trim()
                .to_owned(),
        }),
    })
}

/// A node as a person finds it.
fn display(node: &schema::Node) -> String {
    if node.name.is_empty() {
        node.op_type.clone()
    } else {
        format!("{} ({})", node.name, node.op_type)
    }
}

/// The graph's only node, if it is a forest.
fn the_forest(graph: &schema::Graph) -> Result<&schema::Node, OnnxError> {
    let is_forest = |node: &&schema::Node| node.op_type == OPERATOR && node.domain == DOMAIN;
    if let Some(other) = graph.nodes.iter().find(|node| !is_forest(node)) {
        return Err(OnnxError::Graph(format!(
            "node {} of domain {:?} is not supported",
            display(other),
            other.domain
        )));
    }
    match &graph.nodes[..] {
        [node] => Ok(node),
        nodes => Err(OnnxError::Graph(format!("the graph has {} nodes", nodes.len()))),
    }
}

/// The graph's only input has to be what the forest reads, a matrix of so many columns.
fn the_input(graph: &schema::Graph, node: &schema::Node, named: usize) -> Result<(), OnnxError> {
    let [input] = &graph.inputs[..] else {
        return Err(OnnxError::Graph(format!("the graph has {} inputs", graph.inputs.len())));
    };
    if node.inputs != [input.name.as_str()] {
        let message = format!("node {} reads {:?}, not {:?}", display(node), node.inputs, input.name);
        return Err(OnnxError::Graph(message));
    }
    let tensor = input.kind.as_ref().and_then(|k| k.tensor.as_ref());
    let kind = tensor.map_or(0, |t| t.data_type);
    if !matches!(kind, data_type::FLOAT | data_type::DOUBLE) {
        let message = format!(
            "input {:?} has elements of type {kind}, not float or double",
            input.name
        );
        return Err(OnnxError::Graph(message));
    }
    let dimensions = tensor.and_then(|t| t.shape.as_ref()).map(|s| &s.dimensions[..]);
    let columns = match dimensions {
        Some([_, columns]) => &columns.size,
        Some(other) => {
            let message = format!("input {:?} has {} dimensions, not 2", input.name, other.len());
            return Err(OnnxError::Graph(message));
        }
        None => &None,
    };
    match columns {
        // 0 and less, like a name: any number
        Some(Size::Value(found @ 1..)) if usize::try_from(*found) != Ok(named) => {
            Err(OnnxError::Inputs { found: *found, named })
        }
        _ if named == 0 || named > Node::MOST_INPUTS => Err(OnnxError::Inputs { found: 0, named }),
        _ => Ok(()),
    }
}
