use super::{schema::Attribute, *};
use crate::{
    Flag, Model, Target,
    model::tests::table,
    train::{TrainOptions, train},
};
use prost::{Message, bytes::Bytes};

fn small() -> Model {
    let options = TrainOptions {
        trees: 3,
        min_leaf: 8,
        ..TrainOptions::default()
    };
    train(&table(60), &options).unwrap().model
}

/// What is written of the small model, to be changed.
fn file() -> schema::Model {
    schema::Model::decode(&to_onnx(&small(), "0").unwrap()[..]).unwrap()
}

fn names(names: &[&str]) -> Vec<(String, String)> {
    names.iter().map(|n| ((*n).to_owned(), String::new())).collect()
}

fn read(file: &schema::Model) -> Result<Model, OnnxError> {
    let target = Target {
        name: "Y".to_owned(),
        unit: String::new(),
    };
    from_onnx(file.encode_to_vec(), &names(&["A", "B", "C"]), target, "0".to_owned())
}

fn node(file: &mut schema::Model) -> &mut schema::Node {
    &mut file.graph.as_mut().unwrap().nodes[0]
}

fn attribute<'a>(file: &'a mut schema::Model, name: &str) -> &'a mut Attribute {
    node(file).attributes.iter_mut().find(|a| a.name == name).unwrap()
}

fn add(file: &mut schema::Model, name: &str, change: fn(&mut Attribute)) {
    let mut new = Attribute {
        name: name.to_owned(),
        ..Attribute::default()
    };
    change(&mut new);
    node(file).attributes.push(new);
}

/// What is said of the file after a change.
fn refused(change: impl FnOnce(&mut schema::Model)) -> String {
    let mut file = file();
    change(&mut file);
    read(&file).unwrap_err().to_string()
}

fn rows() -> Vec<f64> {
    let table = table(60);
    (0..60)
        .flat_map(|row| table.columns.iter().map(move |c| c[row]).collect::<Vec<_>>())
        .collect()
}

#[test]
fn a_forest_comes_back_as_it_went() {
    let (model, back) = (small(), read(&file()).unwrap());
    let (before, after) = (model.predict_rows(&rows()), back.predict_rows(&rows()));
    assert!(before.iter().zip(&after).all(|(b, a)| b.value == a.value));
    assert_eq!(back.forest().node_count(), model.forest().node_count());
}

#[test]
fn what_is_not_in_the_file_is_not_made_up() {
    let back = read(&file()).unwrap();
    let p = back.predict(&[0.5, 0.5, 0.5]);
    assert_eq!(
        (p.flag, p.lo, p.hi),
        (Flag::RangeUnknown, f64::NEG_INFINITY, f64::INFINITY)
    );
    assert_eq!(back.predict(&[0.5, f64::NAN, 0.5]).flag, Flag::MissingInput);
    assert!(back.interval().is_none() && back.training().is_none() && back.inputs()[0].min.is_none());
    assert_eq!(Model::from_bytes(&back.to_bytes().unwrap()), Ok(back));
}

#[test]
fn an_imported_forest_explains_itself_as_a_sum() {
    let back = read(&file()).unwrap();
    let e = back.explain(&[0.2, 0.7, 0.4]).unwrap();
    assert!((e.base + e.contributions.iter().sum::<f64>() - e.prediction).abs() < 1e-9);
    assert!(e.contributions[0].abs() > 0.01);
}

#[test]
fn nodes_may_stand_in_any_order_and_under_any_ids() {
    let expected = read(&file()).unwrap();
    let mut file = file();
    for name in [
        "nodes_treeids",
        "nodes_nodeids",
        "nodes_featureids",
        "nodes_truenodeids",
        "nodes_falsenodeids",
    ] {
        attribute(&mut file, name).ints.reverse();
    }
    attribute(&mut file, "nodes_values").floats.reverse();
    attribute(&mut file, "nodes_modes").strings.reverse();
    for name in [
        "nodes_nodeids",
        "nodes_truenodeids",
        "nodes_falsenodeids",
        "target_nodeids",
    ] {
        attribute(&mut file, name)
            .ints
            .iter_mut()
            .for_each(|id| *id = *id * 1_000_000_007 - 5);
    }
    assert_eq!(read(&file).unwrap().forest(), expected.forest());
}

#[test]
fn sums_and_base_values_are_the_same_mean() {
    let expected = read(&file()).unwrap().predict_rows(&rows());
    let mut file = file();
    attribute(&mut file, "aggregate_function").string = Bytes::from_static(b"SUM");
    attribute(&mut file, "target_weights")
        .floats
        .iter_mut()
        .for_each(|w| *w /= 3.0);
    add(&mut file, "base_values", |a| a.floats = vec![100.0]);
    let found = read(&file).unwrap().predict_rows(&rows());
    let gap = |(e, f): (&crate::Prediction, &crate::Prediction)| (f.value - e.value - 100.0).abs();
    assert!(expected.iter().zip(&found).map(gap).all(|gap| gap < 1e-4));
}

#[test]
fn thresholds_of_double_precision_are_rounded_down() {
    let exact = f64::from(0.1f32);
    for (threshold, expected) in [
        (exact, 0.1f32),
        (exact.next_up(), 0.1),
        (exact.next_down(), 0.1f32.next_down()),
        (0.1, 0.1f32.next_down()),
        (-0.1, -0.1),
    ] {
        let mut file = file();
        let place = node(&mut file)
            .attributes
            .iter()
            .position(|a| a.name == "nodes_values")
            .unwrap();
        let count = node(&mut file).attributes[place].floats.len();
        node(&mut file).attributes[place] = Attribute {
            name: "nodes_values_as_tensor".to_owned(),
            tensor: Some(schema::Tensor {
                data_type: schema::data_type::DOUBLE,
                raw: threshold.to_le_bytes().repeat(count).into(),
                ..schema::Tensor::default()
            }),
            ..Attribute::default()
        };
        let model = read(&file).unwrap();
        assert_eq!(model.forest().tree(0)[0].number(), expected, "{threshold:e}");
    }
}

#[test]
fn forests_that_mean_something_else_are_refused_with_what_is_supported() {
    let word = |name: &'static str, word: &'static str| {
        move |f: &mut schema::Model| attribute(f, name).string = Bytes::from_static(word.as_bytes())
    };
    for (message, words) in [
        (
            refused(word("aggregate_function", "MAX")),
            "aggregate_function is MAX; supported are SUM and AVERAGE",
        ),
        (
            refused(word("post_transform", "LOGISTIC")),
            "post_transform is LOGISTIC; supported is NONE",
        ),
        (
            refused(|f| attribute(f, "n_targets").int = 2),
            "n_targets is 2; supported is 1",
        ),
        (
            refused(|f| attribute(f, "nodes_modes").strings[0] = Bytes::from_static(b"BRANCH_LT")),
            "forest (TreeEnsembleRegressor): tree 0, node 0: mode BRANCH_LT; supported are BRANCH_LEQ and LEAF",
        ),
        (
            refused(|f| add(f, "nodes_missing_value_tracks_true", |a| a.ints = vec![0, 0, 1])),
            "tree 0, node 2: a missing value goes left",
        ),
        (refused(|f| attribute(f, "target_ids").ints[1] = 1), "target 1"),
        (
            refused(|f| add(f, "base_values", |a| a.floats = vec![1.0, 2.0])),
            "base_values has 2 entries",
        ),
    ] {
        assert!(message.contains(words), "{message}: not {words}");
    }
}

#[test]
fn other_graphs_are_refused_with_the_node() {
    fn graph(file: &mut schema::Model) -> &mut schema::Graph {
        file.graph.as_mut().unwrap()
    }
    let scaler = || schema::Node {
        op_type: "Scaler".to_owned(),
        name: "scale".to_owned(),
        domain: DOMAIN.to_owned(),
        ..schema::Node::default()
    };
    let columns = |count| {
        move |f: &mut schema::Model| {
            let tensor = graph(f).inputs[0].kind.as_mut().unwrap().tensor.as_mut().unwrap();
            tensor.shape.as_mut().unwrap().dimensions[1].size = Some(schema::Size::Value(count));
        }
    };
    for (message, words) in [
        (
            refused(|f| graph(f).nodes.insert(0, scaler())),
            "node scale (Scaler) of domain \"ai.onnx.ml\" is not supported",
        ),
        (refused(|f| graph(f).nodes.clear()), "the graph has 0 nodes"),
        (
            refused(|f| node(f).domain = String::new()),
            "of domain \"\" is not supported",
        ),
        (
            refused(|f| node(f).inputs = vec!["Z".to_owned()]),
            "reads [\"Z\"], not \"X\"",
        ),
        (refused(|f| graph(f).inputs.clear()), "the graph has 0 inputs"),
        (refused(columns(2)), "the graph takes 2 inputs, 3 are named"),
        (refused(|f| f.graph = None), "no graph"),
    ] {
        assert!(message.contains(words), "{message}: not {words}");
    }
    // a graph that does not say how many columns it takes is held to its trees
    let mut open = file();
    columns(0)(&mut open);
    assert!(read(&open).is_ok());
}

#[test]
fn crafted_trees_are_refused_with_the_place() {
    // node 0 of a tree is its root, node 1 that one's left child
    let ints =
        |name: &'static str, place: usize, id: i64| move |f: &mut schema::Model| attribute(f, name).ints[place] = id;
    for (message, words) in [
        (
            refused(ints("nodes_truenodeids", 0, 0)),
            "tree 0: 6 nodes are not reached from its root, node 1",
        ),
        (
            refused(ints("nodes_falsenodeids", 0, 1)),
            "tree 0, node 1: it is a child twice",
        ),
        (
            refused(ints("nodes_truenodeids", 9, 2)),
            "tree 1, node 2: it is a child twice",
        ),
        (
            refused(ints("nodes_truenodeids", 0, 999)),
            "node 0: its child 999 does not exist",
        ),
        (
            refused(ints("nodes_truenodeids", 0, i64::MIN)),
            "its child -9223372036854775808 does not exist",
        ),
        (refused(ints("nodes_nodeids", 1, 0)), "node 0: it stands twice"),
        (
            refused(ints("nodes_treeids", 1, i64::MAX)),
            "tree 0, node 1: a weight is given for it, and it is no leaf",
        ),
        (refused(ints("nodes_featureids", 0, 3)), "it asks input 3; there are 3"),
        (refused(ints("nodes_featureids", 0, -1)), "it asks input -1"),
        (
            refused(ints("target_nodeids", 0, 0)),
            "tree 0, node 0: a weight is given for it, and it is no leaf",
        ),
        (refused(ints("target_treeids", 0, 77)), "tree 77"),
        (
            refused(|f| attribute(f, "nodes_values").floats[0] = f32::NAN),
            "threshold NaN",
        ),
        (
            refused(|f| attribute(f, "target_weights").floats[0] = f32::INFINITY),
            "value inf",
        ),
        (
            refused(|f| attribute(f, "nodes_values").floats.truncate(1)),
            "nodes_values has 1 entries where",
        ),
        (
            refused(|f| attribute(f, "nodes_treeids").ints.clear()),
            "nodes_treeids is missing",
        ),
        (
            refused(|f| add(f, "n_targets", |a| a.int = 1)),
            "n_targets stands twice",
        ),
    ] {
        assert!(message.contains(words), "{message}: not {words}");
    }
}

#[test]
fn a_loop_beside_the_root_is_refused() {
    // two splits that are each other's children, and a root without them
    let mut file = file();
    let mut set = |name: &str, list: &[i64]| attribute(&mut file, name).ints = list.to_vec();
    set("nodes_treeids", &[0; 5]);
    set("nodes_nodeids", &[0, 1, 2, 3, 4]);
    set("nodes_featureids", &[0; 5]);
    set("nodes_truenodeids", &[0, 2, 1, 0, 0]);
    set("nodes_falsenodeids", &[0, 3, 4, 0, 0]);
    for name in ["target_treeids", "target_nodeids", "target_ids"] {
        set(name, &[]);
    }
    attribute(&mut file, "target_weights").floats.clear();
    attribute(&mut file, "nodes_values").floats = vec![0.5; 5];
    let modes = ["LEAF", "BRANCH_LEQ", "BRANCH_LEQ", "LEAF", "LEAF"];
    attribute(&mut file, "nodes_modes").strings = modes.map(|mode| Bytes::from_static(mode.as_bytes())).to_vec();
    let message = read(&file).unwrap_err().to_string();
    assert!(
        message.contains("4 nodes are not reached from its root, node 0"),
        "{message}"
    );
}

#[test]
fn names_and_bytes_that_are_none_are_refused() {
    let target = || Target {
        name: "Y".to_owned(),
        unit: String::new(),
    };
    let with = |bytes: &[u8], list: &[&str]| from_onnx(bytes.to_vec(), &names(list), target(), String::new());
    let bytes = file().encode_to_vec();
    for list in [&["A", "B", "A"][..], &["A", "", "C"], &["A", "B", "Y"]] {
        assert!(matches!(with(&bytes, list), Err(OnnxError::Name(_))), "{list:?}");
    }
    for list in [&["A", "B"][..], &[]] {
        assert!(matches!(with(&bytes, list), Err(OnnxError::Inputs { .. })), "{list:?}");
    }
    for bytes in [&b"%PDF-1.7 and so on"[..], b"", &bytes[..bytes.len() / 2]] {
        assert!(matches!(with(bytes, &["A", "B", "C"]), Err(OnnxError::NotOnnx(_))));
    }
}
