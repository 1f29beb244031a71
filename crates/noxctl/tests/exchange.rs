//! Forests go to other programs and come from them as ONNX files, and predict there and here the same; explanations are those of
//! the shap package.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends with the first thing that is wrong"
)]

mod common;
use common::*;
use serde_json::Value;
use simulator::{Turbine, registers::REGISTER_MAP};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

const INPUTS: &str = "AT,AP,AH,AFDP,GTEP,TIT,TAT,TEY,CDP";

/// Readings of a simulated turbine, an hour apart.
fn history(folder: &Path, hours: usize) -> PathBuf {
    let names: Vec<&str> = REGISTER_MAP.iter().map(|(name, ..)| *name).collect();
    let mut turbine = Turbine::new(3);
    let mut csv = names.join(",") + "\n";
    let mut rows = 0;
    while rows < hours {
        (0..60).for_each(|_| turbine.advance(60.0));
        let now = turbine.snapshot();
        if now.running {
            let values: Vec<String> = now.values().iter().map(|v| format!("{v:.4}")).collect();
            csv += &(values.join(",") + "\n");
            rows += 1;
        }
    }
    let file = folder.join("history.csv");
    std::fs::write(&file, csv).unwrap();
    file
}

fn train(data: &Path, more: &[&str], out: &Path) {
    let own = [
        "train",
        "--data",
        path(data),
        "--target",
        "NOX",
        "--inputs",
        INPUTS,
        "--out",
        path(out),
    ];
    json(&[&own[..], more].concat());
}

/// What a script in Python prints as JSON; `X` are the inputs of the file as float32, `y` is NOX.
fn python_says(script: &str, data: &Path, arguments: &[&Path]) -> Value {
    let head = format!(
        "import csv, json, sys, numpy as np\nfile, args = sys.argv[1], sys.argv[2:]\nINPUTS = '{INPUTS}'.split(',')\n\
         rows = list(csv.DictReader(open(file)))\nX = np.array([[float(r[n]) for n in INPUTS] for r in rows], np.float32)\n\
         column = lambda f, n: np.array([float(r[n]) for r in csv.DictReader(open(f))])\ny = column(file, 'NOX')\n"
    );
    let output = Command::new(python())
        .args(["-c", &(head + script), path(data)])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    last_json(&output.stdout)
}

fn import(onnx: &Path, out: &Path) -> [String; 9] {
    let arguments = [
        "model",
        "import",
        path(onnx),
        "--inputs",
        INPUTS,
        "--target",
        "NOX",
        "--out",
        path(out),
    ];
    arguments.map(str::to_owned)
}

#[test]
fn onnxruntime_predicts_what_we_predict() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let data = history(folder.path(), 900);
    train(&data, &["--trees", "40", "--no-validate"], &at("m.xt"));
    let exported = json(&["model", "export", path(&at("m.xt")), "--onnx", path(&at("m.onnx"))]);
    assert_eq!(exported["inputs"].as_array().unwrap().len(), 9);
    let (model, out) = (at("m.xt"), at("y.csv"));
    json(&[
        "predict",
        "--model",
        path(&model),
        "--data",
        path(&data),
        "--out",
        path(&out),
    ]);
    let found = python_says(
        "import onnx, onnxruntime as ort
model = onnx.load(args[0])
onnx.checker.check_model(model, full_check=True)
session = ort.InferenceSession(args[0])
[x], [out] = session.get_inputs(), session.get_outputs()
theirs = session.run(None, {x.name: X})[0].ravel()
ours = column(args[1], 'NOX_pred')
print(json.dumps({'gap': float(max(abs(theirs - ours) / ours)), 'x': [x.type, x.shape], 'out': out.name,
  'operators': [n.op_type for n in model.graph.node], 'about': {p.key: p.value for p in model.metadata_props}}))",
        &data,
        &[&at("m.onnx"), &out],
    );
    assert!(found["gap"].as_f64().unwrap() < 1e-5, "{found}");
    assert_eq!(found["x"], serde_json::json!(["tensor(float)", ["N", 9]]));
    assert_eq!(found["operators"], serde_json::json!(["TreeEnsembleRegressor"]));
    assert_eq!(
        (&found["out"], &found["about"]["inputs"]),
        (&"NOX".into(), &INPUTS.into())
    );
    let shown = json(&["model", "show", path(&model)]);
    assert_eq!(found["about"]["model_sha256"], shown["sha256"]);
}

#[test]
fn forests_of_scikit_learn_predict_here_what_they_predict_there() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let data = history(folder.path(), 700);
    python_says(
        "from sklearn.ensemble import ExtraTreesRegressor, GradientBoostingRegressor, RandomForestRegressor
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
import onnxruntime as ort
for kind, name in ((ExtraTreesRegressor, 'extra'), (RandomForestRegressor, 'random'), (GradientBoostingRegressor, 'boosted')):
    forest = kind(n_estimators=30, random_state=0).fit(X, y)
    onnx = convert_sklearn(forest, initial_types=[('X', FloatTensorType([None, 9]))]).SerializeToString()
    open(f'{args[0]}/{name}.onnx', 'wb').write(onnx)
    runtime = ort.InferenceSession(onnx).run(None, {'X': X})[0].ravel()
    np.savetxt(f'{args[0]}/{name}.csv', np.c_[forest.predict(X), runtime], delimiter=',', header='sklearn,runtime', comments='')
print(1)",
        &data,
        &[folder.path()],
    );
    for name in ["extra", "random", "boosted"] {
        let (onnx, model, out) = (at(&format!("{name}.onnx")), at("m.xt"), at("y.csv"));
        json(&import(&onnx, &model).each_ref().map(String::as_str));
        json(&[
            "predict",
            "--model",
            path(&model),
            "--data",
            path(&data),
            "--out",
            path(&out),
        ]);
        let gaps = python_says(
            "ours = column(args[0], 'NOX_pred')
gap = lambda name, share: float(np.quantile(abs(column(args[1], name) - ours) / ours, share))
print(json.dumps([gap('runtime', 1), gap('sklearn', 0.99)]))",
            &data,
            &[&out, &at(&format!("{name}.csv"))],
        );
        assert!(
            gaps.as_array().unwrap().iter().all(|g| g.as_f64().unwrap() < 1e-5),
            "{name}: {gaps}"
        );
        let first = std::fs::read_to_string(&out).unwrap();
        let first = first.lines().nth(1).unwrap();
        assert!(first.ends_with(",,,range-unknown"), "{first}");
    }
    let shown = json(&["model", "show", path(&at("m.xt"))]);
    assert!(
        shown["training"].is_null() && shown["interval"].is_null() && shown["inputs"][0]["min"].is_null(),
        "{shown}"
    );
    assert_eq!(
        (&shown["imported"]["format"], &shown["inputs"][0]["unit"]),
        (&"onnx".into(), &"degC".into())
    );
    let explained = json(&[
        "explain",
        "--model",
        path(&at("m.xt")),
        "--data",
        path(&data),
        "--row",
        "5",
    ]);
    let parts: f64 = explained["contributions"]
        .as_object()
        .unwrap()
        .values()
        .map(|v| v.as_f64().unwrap())
        .sum();
    let (base, prediction) = (
        explained["base"].as_f64().unwrap(),
        explained["prediction"].as_f64().unwrap(),
    );
    assert!((base + parts - prediction).abs() < 1e-6 * prediction, "{explained}");
}

#[test]
fn what_is_no_forest_for_these_inputs_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let data = history(folder.path(), 100);
    python_says(
        "from sklearn.ensemble import ExtraTreesRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
scaled = make_pipeline(StandardScaler(), ExtraTreesRegressor(3)).fit(X, y)
two = ExtraTreesRegressor(3).fit(X, np.c_[y, y])
eight = ExtraTreesRegressor(3).fit(X[:, :8], y)
for name, model, width in (('scaled', scaled, 9), ('two', two, 9), ('eight', eight, 8)):
    onnx = convert_sklearn(model, initial_types=[('X', FloatTensorType([None, width]))])
    open(f'{args[0]}/{name}.onnx', 'wb').write(onnx.SerializeToString())
print(1)",
        &data,
        &[folder.path()],
    );
    for (name, words) in [
        ("scaled", "Scaler"),
        ("two", "n_targets is 2; supported is 1"),
        ("eight", "the graph takes 8 inputs, 9 are named"),
        ("history", "not an ONNX file"),
    ] {
        let mut onnx = at(&format!("{name}.onnx"));
        if !onnx.exists() {
            onnx = data.clone();
        }
        let (status, message) = fails(&import(&onnx, &at("m.xt")).each_ref().map(String::as_str));
        assert_eq!(status, 2, "{message}");
        assert!(
            message.contains(path(&onnx)) && message.contains(words),
            "{message}: not {words}"
        );
        assert!(!at("m.xt").exists());
    }
}

/// The trees of an ONNX file as the shap package takes them, with the number of rows of X in each node.
const SHAP: &str = "import onnx, shap
a = {x.name: onnx.helper.get_attribute_value(x) for x in onnx.load(args[0]).graph.node[0].attribute}
place = {(t, n): i for i, (t, n) in enumerate(zip(a['nodes_treeids'], a['nodes_nodeids']))}
count = len(set(a['nodes_treeids']))
value = np.zeros(len(place))
for t, n, w in zip(a['target_treeids'], a['target_nodeids'], a['target_weights']):
    value[place[t, n]] = w / count
trees = []
for tree in range(count):
    at = [i for i, t in enumerate(a['nodes_treeids']) if t == tree]
    split = np.array([a['nodes_modes'][i] != b'LEAF' for i in at])
    of = lambda name, leaf: np.where(split, np.array(a[name])[at], leaf)
    left, right, feature, cut = of('nodes_truenodeids', -1), of('nodes_falsenodeids', -1), of('nodes_featureids', -2), of('nodes_values', -2.0)
    weight, todo = np.zeros(len(at)), [(0, np.arange(len(X)))]
    while todo:
        node, rows = todo.pop()
        weight[node] = len(rows)
        if split[node]:
            go = X[rows, feature[node]] <= np.float32(cut[node])
            todo += [(left[node], rows[go]), (right[node], rows[~go])]
    trees.append(dict(children_left=left, children_right=right, children_default=left.copy(), features=feature,
        thresholds=cut.astype(float), values=value[at].reshape(-1, 1), node_sample_weight=weight))
found = shap.TreeExplainer(dict(trees=trees)).shap_values(X[:20])
print(json.dumps(found.tolist()))";

#[test]
fn contributions_are_those_of_the_shap_package_and_add_up() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let data = history(folder.path(), 800);
    train(
        &data,
        &["--trees", "4", "--min-leaf", "15", "--no-validate"],
        &at("m.xt"),
    );
    json(&["model", "export", path(&at("m.xt")), "--onnx", path(&at("m.onnx"))]);
    let theirs = python_says(SHAP, &data, &[&at("m.onnx")]);
    for row in [0, 7, 19] {
        let explained = json(&[
            "explain",
            "--model",
            path(&at("m.xt")),
            "--data",
            path(&data),
            "--row",
            &row.to_string(),
        ]);
        let number = |v: &Value| v.as_f64().unwrap();
        let ours: Vec<f64> = INPUTS
            .split(',')
            .map(|name| number(&explained["contributions"][name]))
            .collect();
        let theirs: Vec<f64> = theirs[row].as_array().unwrap().iter().map(number).collect();
        let largest = theirs.iter().fold(0.0f64, |most, c| most.max(c.abs()));
        let gap = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(
            largest > 0.0 && gap < 1e-5 * largest,
            "row {row}: {ours:?} and {theirs:?}"
        );
        let prediction = number(&explained["prediction"]);
        let sum = number(&explained["base"]) + ours.iter().sum::<f64>();
        assert!((sum - prediction).abs() < 1e-9 * prediction, "row {row}: {explained}");
    }
}
