use super::{file::assemble, *};
use crate::forest::Node;
use crate::train::{TrainOptions, TrainingTable, train};

pub(crate) fn table(rows: usize) -> TrainingTable {
    let mut random = crate::random::Random::new(11, 0);
    let columns: Vec<Vec<f64>> = (0..3).map(|_| (0..rows).map(|_| random.unit()).collect()).collect();
    let target = (0..rows)
        .map(|i| 10.0 * columns[0][i] + columns[1][i].powi(2) + 0.1 * random.unit())
        .collect();
    TrainingTable {
        names: ["A", "B", "C"].map(str::to_owned).to_vec(),
        units: vec![String::new(); 3],
        columns,
        target: Target {
            name: "Y".into(),
            unit: "1".into(),
        },
        measured: target,
        data_sha256: "0".into(),
        span: None,
    }
}

fn small() -> Model {
    train(
        &table(60),
        &TrainOptions {
            trees: 3,
            ..TrainOptions::default()
        },
    )
    .unwrap()
    .model
}

/// The sections of a model's file, to be changed and put together again with right checksums.
fn parts(model: &Model) -> Vec<(&'static str, Vec<u8>)> {
    let bytes = model.to_bytes().unwrap();
    let names = ["about", "envelope", "interval", "forest"];
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
    let part = |i: usize| {
        let entry = 12 + i * 36 + 16;
        (
            names[i],
            bytes[number(entry)..number(entry) + number(entry + 8)].to_vec(),
        )
    };
    (0..4).map(part).collect()
}

#[test]
fn a_model_survives_its_file() {
    let model = small();
    assert_eq!(Model::from_bytes(&model.to_bytes().unwrap()), Ok(model));
}

#[test]
fn no_changed_or_missing_byte_goes_unnoticed() {
    let bytes = small().to_bytes().unwrap();
    for place in 0..bytes.len() {
        let mut hurt = bytes.clone();
        hurt[place] ^= 1;
        assert!(Model::from_bytes(&hurt).is_err(), "byte {place}");
        assert!(Model::from_bytes(&bytes[..place]).is_err(), "cut at {place}");
    }
    assert!(Model::from_bytes(&[&bytes[..], b"x"].concat()).is_err());
}

#[test]
fn a_later_format_says_so() {
    let mut bytes = small().to_bytes().unwrap();
    bytes[7] = b'3';
    let message = Model::from_bytes(&bytes).unwrap_err().to_string();
    assert!(message.contains("format version '3'"), "{message}");
    assert_eq!(Model::from_bytes(b"%PDF-1.7 and so on"), Err(ModelError::NotAModel));
}

#[test]
fn a_crafted_description_is_refused() {
    let model = small();
    let refused = |change: fn(&mut Model), words: &str| {
        let mut crafted = model.clone();
        change(&mut crafted);
        let message = Model::from_bytes(&crafted.to_bytes().unwrap()).unwrap_err().to_string();
        assert!(message.contains(words), "{message}: not {words}");
    };
    fn envelope(model: &mut Model) -> &mut Envelope {
        model.envelope.as_mut().unwrap()
    }
    refused(|m| m.inputs[1].name = "A".into(), "two inputs are named \"A\"");
    refused(|m| m.inputs[1].name = String::new(), "without a name");
    refused(|m| m.inputs[1].max = Some(7.0), "range of B");
    refused(
        |m| match &mut m.origin {
            Origin::Training(training) => training.average_secs = 0.0,
            Origin::Imported(_) => panic!("trained"),
        },
        "averaging time",
    );
    refused(|m| envelope(m).limit = f64::NAN, "envelope");
    refused(|m| envelope(m).min.clear(), "number of inputs");
    refused(|m| envelope(m).max.clear(), "envelope");
}

#[test]
fn an_unknown_section_is_skipped() {
    let model = small();
    let mut parts = parts(&model);
    parts.insert(1, ("from-the-future", b"whatever".to_vec()));
    assert_eq!(Model::from_bytes(&assemble(b'2', &parts)), Ok(model));
}

#[test]
fn a_model_of_version_1_is_read() {
    let model = small();
    let mut parts = parts(&model);
    let mut forest = [&3u32.to_le_bytes()[..], &3u32.to_le_bytes(), &[4]].concat();
    for node in &model.forest.nodes {
        forest.push(node.input() as u8);
        forest.extend(node.number().to_le_bytes());
        forest.extend(node.is_leaf().then_some(node.rows() as u8));
    }
    parts[3].1 = forest;
    assert_eq!(Model::from_bytes(&assemble(b'1', &parts)), Ok(model));
}

#[test]
fn a_crafted_forest_of_version_1_is_refused_with_the_place() {
    let parts = parts(&small());
    let with = |forest: Vec<u8>| {
        let mut parts = parts.clone();
        parts[3].1 = forest;
        Model::from_bytes(&assemble(b'1', &parts)).unwrap_err().to_string()
    };
    let head = |inputs: u32, trees: u32| [&inputs.to_le_bytes()[..], &trees.to_le_bytes(), &[4]].concat();
    let leaf = |value: f32| [&[255][..], &value.to_le_bytes(), &[1]].concat();
    let split = |feature: u8, at: f32| [&[feature][..], &at.to_le_bytes()].concat();
    for (forest, words) in [
        (
            [head(3, 1), split(7, 0.5), leaf(1.0), leaf(2.0)].concat(),
            "input 7 does not exist",
        ),
        (
            [head(3, 1), split(0, f32::NAN), leaf(1.0), leaf(2.0)].concat(),
            "threshold",
        ),
        ([head(3, 1), leaf(f32::INFINITY)].concat(), "value"),
        ([head(3, 1), split(0, 0.5), leaf(1.0)].concat(), "cut short"),
        ([head(3, u32::MAX), leaf(1.0)].concat(), "tree 1, node 0"),
        ([head(3, 1), leaf(1.0), leaf(1.0)].concat(), "behind the last tree"),
        (head(0, 1), "0 inputs"),
        (head(3, 1).repeat(1)[..8].to_vec(), "cut short"),
        ([head(2, 1), leaf(1.0)].concat(), "number of inputs"),
        // a split without end: as deep as the file is long, and no deeper
        ([head(3, 1), split(0, 0.5).repeat(100_000)].concat(), "cut short"),
    ] {
        let message = with(forest);
        assert!(message.contains(words), "{message}: not {words}");
    }
}

#[test]
fn a_crafted_forest_is_refused_with_the_place() {
    let parts = parts(&small());
    let with = |forest: Vec<u8>| {
        let mut parts = parts.clone();
        parts[3].1 = forest;
        Model::from_bytes(&assemble(b'2', &parts)).unwrap_err().to_string()
    };
    let words = |words: &[u32]| words.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<u8>>();
    let numbers = |numbers: &[f32]| numbers.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<u8>>();
    // inputs, nodes of each tree, codes, numbers, counts
    let forest = |inputs: u32, lengths: &[u32], codes: &[u8], values: &[f32], counts: &[u8]| {
        let head = words(&[inputs, lengths.len() as u32]);
        [&head[..], &[4], &words(lengths), codes, &numbers(values), counts].concat()
    };
    for (forest, words) in [
        (
            forest(3, &[3], &[0xf7, 0xf], &[0.5, 1.0, 2.0], &[]),
            "node 0: input 7 does not exist",
        ),
        (forest(3, &[3], &[0xf0, 0xf], &[f32::NAN, 1.0, 2.0], &[]), "threshold"),
        (forest(3, &[1], &[0xf], &[f32::INFINITY], &[]), "value"),
        (forest(3, &[2], &[0xf0], &[0.5, 1.0], &[]), "cut short"),
        (forest(3, &[3], &[0xf0, 0xf], &[0.5, 1.0], &[]), "cut short"),
        (forest(3, &[1], &[0xe], &[1.0], &[]), "node 0: it is cut short"),
        (forest(3, &[1], &[0xe], &[1.0], &[0x80; 9]), "cut short"),
        (forest(3, &[2], &[0xff], &[1.0, 2.0], &[]), "ends before its nodes"),
        (forest(3, &[1], &[0xf], &[1.0], &[7]), "behind the last tree"),
        (
            forest(3, &[u32::MAX], &[0xf], &[1.0], &[]),
            "tree 0 has 4294967295 nodes",
        ),
        (forest(3, &[1 << 23; 700], &[0xf], &[1.0], &[]), "nodes"),
        (forest(3, &[0], &[], &[], &[]), "tree 0 has 0 nodes"),
        (forest(0, &[1], &[0xf], &[1.0], &[]), "0 inputs"),
        (forest(15, &[1], &[0xf], &[1.0], &[]), "15 inputs"),
        (forest(2, &[1], &[0xf], &[1.0], &[]), "number of inputs"),
        (words(&[3, u32::MAX]), "cut short"),
        ([&words(&[3, u32::MAX])[..], &[4]].concat(), "cut short"),
    ] {
        let message = with(forest);
        assert!(message.contains(words), "{message}: not {words}");
    }
}

#[test]
fn forests_of_many_inputs_and_unknown_rows_survive_their_file() {
    for inputs in [14, 15, 254] {
        let last = Node::split(inputs - 1, 0.5).with_right(4);
        let inner = Node::split(0, -1.0).with_right(2);
        let leaves = [(1.0, 1), (2.0, 0), (3.0, 300)].map(|(value, rows)| Node::leaf(value, rows));
        let tree = vec![last, inner, leaves[0], leaves[1], leaves[2]];
        let forest = ExtraTrees::join(inputs, &[tree.clone(), vec![leaves[2]], tree]).unwrap();
        assert_eq!(nodes::from_bytes(&nodes::to_bytes(&forest)), Ok(forest));
    }
}

#[test]
fn a_crafted_interval_is_refused() {
    let mut parts = parts(&small());
    parts[2].1 = br#"{"half_width":0.0,"origin":"conformal"}"#.to_vec();
    assert!(
        Model::from_bytes(&assemble(b'2', &parts))
            .unwrap_err()
            .to_string()
            .contains("interval")
    );
}

#[test]
fn missing_and_strange_inputs_are_flagged() {
    let model = small();
    let flag = |row: &[f64]| model.predict(row).flag;
    assert_eq!(flag(&[0.5, 0.5, 0.5]), Flag::Ok);
    assert_eq!(flag(&[5.0, 0.5, 0.5]), Flag::OutOfRange);
    assert_eq!(flag(&[f64::NAN, 0.5, 0.5]), Flag::MissingInput);
    assert_eq!(flag(&[1e300, 0.5, 0.5]), Flag::MissingInput);
    let p = model.predict(&[0.5, 0.5, 0.5]);
    assert!(p.lo < p.value && p.value < p.hi);
    assert_eq!(model.predict_rows(&[0.5, 0.5, 0.5, 0.1, 0.2, 0.3])[0], p);
}
