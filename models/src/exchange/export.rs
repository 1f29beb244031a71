//! Model → ONNX.

use super::{DOMAIN, OPERATOR, OnnxError, schema};
use crate::{ExtraTrees, Model};
use prost::{Message, bytes::Bytes};
use schema::{Attribute, data_type, kind};

/// Of the year 2022, and every runtime since reads it.
const IR_VERSION: i64 = 8;
const CORE_OPERATORS: i64 = 13;
/// The operator as it was first defined says all that a forest needs.
const TREE_OPERATORS: i64 = 1;

const BRANCH: Bytes = Bytes::from_static(b"BRANCH_LEQ");
const LEAF: Bytes = Bytes::from_static(b"LEAF");

/// The ONNX file of this model's forest: input `X`, float32 \[N, inputs\] in the model's order; output named like the target,
/// float32 \[N, 1\]. Names, units and `source_sha256`, that of the model's own file, stand in its metadata.
///
/// # Errors
/// [`OnnxError::TooLarge`].
pub fn to_onnx(model: &Model, source_sha256: &str) -> Result<Vec<u8>, OnnxError> {
    let target = &model.target;
    let inputs = |pick: fn(&crate::Input) -> &str| model.inputs.iter().map(pick).collect::<Vec<_>>().join(",");
    let property = |key: &str, value: &str| schema::Property {
        key: key.to_owned(),
        value: value.to_owned(),
    };
    let node = schema::Node {
        inputs: vec!["X".to_owned()],
        outputs: vec![target.name.clone()],
        name: "forest".to_owned(),
        op_type: OPERATOR.to_owned(),
        attributes: attributes(&model.forest),
        domain: DOMAIN.to_owned(),
    };
    let operators = |domain: &str, version| schema::OperatorSet {
        domain: domain.to_owned(),
        version,
    };
    let file = schema::Model {
        ir_version: IR_VERSION,
        producer_name: "TurbineNOxAnalyzer".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        doc_string: "The forest alone: it answers for any input, has no interval, and does not know its range"
            .to_owned(),
        graph: Some(schema::Graph {
            nodes: vec![node],
            name: "forest".to_owned(),
            inputs: vec![matrix("X", model.inputs.len())],
            outputs: vec![matrix(&target.name, 1)],
        }),
        opset_import: vec![operators("", CORE_OPERATORS), operators(DOMAIN, TREE_OPERATORS)],
        metadata: vec![
            property("inputs", &inputs(|i| &i.name)),
            property("input_units", &inputs(|i| &i.unit)),
            property("target", &target.name),
            property("target_unit", &target.unit),
            property("model_sha256", source_sha256),
        ],
    };
    let size = file.encoded_len();
    if i32::try_from(size).is_err() {
        return Err(OnnxError::TooLarge(size));
    }
    Ok(file.encode_to_vec())
}

/// A float32 matrix of any number of rows.
fn matrix(name: &str, columns: usize) -> schema::ValueInfo {
    let dimension = |size| schema::Dimension { size: Some(size) };
    let shape = schema::Shape {
        dimensions: vec![
            dimension(schema::Size::Name("N".to_owned())),
            dimension(schema::Size::Value(columns as i64)),
        ],
    };
    schema::ValueInfo {
        name: name.to_owned(),
        kind: Some(schema::Type {
            tensor: Some(schema::TensorType {
                data_type: data_type::FLOAT,
                shape: Some(shape),
            }),
        }),
    }
}

/// Nodes are numbered as they lie in their tree; the mean of the trees is taken by the runtime, so that leaves stay what they are.
fn attributes(forest: &ExtraTrees) -> Vec<Attribute> {
    let nodes = || {
        let trees = (0..forest.trees()).map(|tree| (tree, forest.tree(tree)));
        trees.flat_map(|(tree, nodes)| nodes.iter().enumerate().map(move |(place, node)| (tree, place, *node)))
    };
    let splits = |pick: fn(usize, crate::forest::Node) -> usize| {
        let of = |(_, place, node): (_, _, crate::forest::Node)| if node.is_leaf() { 0 } else { pick(place, node) };
        nodes().map(move |node| of(node) as i64).collect::<Vec<_>>()
    };
    let leaves = || nodes().filter(|(_, _, node)| node.is_leaf());
    let thresholds = nodes().map(|(_, _, node)| if node.is_leaf() { 0.0 } else { node.number() });
    let modes = nodes().map(|(_, _, node)| if node.is_leaf() { LEAF } else { BRANCH });
    vec![
        Attribute {
            name: "n_targets".to_owned(),
            int: 1,
            kind: kind::INT,
            ..Attribute::default()
        },
        string("aggregate_function", "AVERAGE"),
        string("post_transform", "NONE"),
        ints("nodes_treeids", nodes().map(|(tree, ..)| tree as i64).collect()),
        ints("nodes_nodeids", nodes().map(|(_, place, _)| place as i64).collect()),
        ints("nodes_featureids", splits(|_, node| node.input())),
        floats("nodes_values", thresholds.collect()),
        Attribute {
            name: "nodes_modes".to_owned(),
            strings: modes.collect(),
            kind: kind::STRINGS,
            ..Attribute::default()
        },
        ints("nodes_truenodeids", splits(|place, _| place + 1)),
        ints("nodes_falsenodeids", splits(|place, node| place + node.right())),
        ints("target_treeids", leaves().map(|(tree, ..)| tree as i64).collect()),
        ints("target_nodeids", leaves().map(|(_, place, _)| place as i64).collect()),
        ints("target_ids", leaves().map(|_| 0).collect()),
        floats("target_weights", leaves().map(|(_, _, node)| node.number()).collect()),
    ]
}

fn ints(name: &str, ints: Vec<i64>) -> Attribute {
    Attribute {
        name: name.to_owned(),
        ints,
        kind: kind::INTS,
        ..Attribute::default()
    }
}

fn floats(name: &str, floats: Vec<f32>) -> Attribute {
    Attribute {
        name: name.to_owned(),
        floats,
        kind: kind::FLOATS,
        ..Attribute::default()
    }
}

fn string(name: &str, value: &'static str) -> Attribute {
    Attribute {
        name: name.to_owned(),
        string: Bytes::from_static(value.as_bytes()),
        kind: kind::STRING,
        ..Attribute::default()
    }
}
