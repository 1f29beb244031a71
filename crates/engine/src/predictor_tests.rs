use super::*;
use domain::PlantFile;
use models::{Target, TrainOptions, TrainingTable, train};

const PLANT: &str = r#"
schema = 1
[plant]
name = "P"
turbine = "GT1"
running_when = { tag = "LOAD", above = 20.0 }
[store]
path = "x.sqlite"
[[tag]]
name = "T"
unit = "degF"
[[tag]]
name = "LOAD"
unit = "MW"
[[tag]]
name = "H"
unit = "%"
[[source]]
id = "plc"
kind = "modbus-tcp"
host = "h"
[[source.point]]
tag = "T"
address = "HR1"
type = "int16"
[[source.point]]
tag = "LOAD"
address = "HR2"
type = "int16"
[[source]]
id = "hygro"
kind = "modbus-tcp"
host = "h"
[[source.point]]
tag = "H"
address = "HR1"
type = "int16"
[[model]]
target = "NOX"
file = "m.xt"
average_s = 10
inputs = { AT = "T", TEY = "LOAD", AH = "H" }
"#;

/// NOX = 10 · AT, whatever the rest.
fn model() -> Vec<u8> {
    let rows = 400;
    let at: Vec<f64> = (0..rows).map(|i| f64::from(i % 20)).collect();
    let tey: Vec<f64> = (0..rows).map(|i| 100.0 + f64::from(i / 20)).collect();
    let ah: Vec<f64> = (0..rows).map(|i| 50.0 + f64::from(i % 7)).collect();
    let table = TrainingTable {
        names: ["AT", "TEY", "AH"].map(str::to_owned).to_vec(),
        units: ["degC", "MWh", "%"].map(str::to_owned).to_vec(),
        measured: at.iter().map(|v| 10.0 * v).collect(),
        columns: vec![at, tey, ah],
        target: Target {
            name: "NOX".into(),
            unit: "mg/m3".into(),
        },
        data_sha256: String::new(),
        span: None,
    };
    train(
        &table,
        &TrainOptions {
            trees: 10,
            ..TrainOptions::default()
        },
    )
    .unwrap()
    .model
    .to_bytes()
    .unwrap()
}

fn load(plant: &str, model: &[u8]) -> Result<(Predictor, Vec<Tag>), LoadError> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("m.xt"), model).unwrap();
    let plant = PlantFile::parse(plant, "p.plant.toml", &|_| Err("none".into())).unwrap();
    let loaded = LoadedPlant {
        plant,
        file: None,
        sha256: String::new(),
        maps: Vec::new(),
        folder: folder.path().to_owned(),
    };
    let mut tags = loaded.plant.tags.clone();
    let predictor = {
        let binding = &loaded.plant.models[0];
        let bytes = loaded.model_bytes(&binding.file, &binding.place)?;
        Predictor::load(&loaded, binding, Role::InForce, &bytes, &mut tags)?
    };
    Ok((predictor, tags))
}

fn at(secs: f64) -> Timestamp {
    Timestamp::from_secs_f64(1.8e9 + secs)
}

/// A poll of the PLC: T in °F and the load.
fn plc(secs: f64, fahrenheit: f64, load: f64) -> Frame {
    let samples = vec![
        Sample::measured(TagId(0), fahrenheit, Status::Good),
        Sample::measured(TagId(1), load, Status::Good),
    ];
    Frame {
        time: at(secs),
        samples,
    }
}

fn hygro(secs: f64, status: Status) -> Frame {
    Frame {
        time: at(secs),
        samples: vec![Sample::measured(TagId(2), 53.0, status)],
    }
}

fn status(frame: &Frame) -> Status {
    frame.samples[0].status
}

/// A predictor whose window is full, and the second it stands at.
fn warm() -> Predictor {
    warm_with(&model())
}

fn warm_with(model: &[u8]) -> Predictor {
    let (mut predictor, _) = load(PLANT, model).unwrap();
    predictor.take(&hygro(0.0, Status::Good), &[]);
    for t in 0..10 {
        predictor.take(&hygro(f64::from(t) + 0.1, Status::Good), &[]);
        predictor.take(&plc(f64::from(t) + 0.5, 50.0, 110.0), &[]);
    }
    predictor
}

#[test]
fn a_prediction_is_in_the_targets_unit_and_has_the_time_of_its_frame() {
    let (mut predictor, tags) = load(PLANT, &model()).unwrap();
    assert_eq!(tags[3].name.as_str(), "NOX_PRED");
    assert_eq!(predictor.take(&hygro(0.0, Status::Good), &[]), None);
    // 50 °F = 10 °C
    let first = predictor.take(&plc(0.5, 50.0, 110.0), &[]).unwrap();
    assert_eq!(
        (first.time, status(&first)),
        (at(0.5), Status::Uncertain(Reason::WarmingUp))
    );
    let later = warm().take(&plc(10.5, 50.0, 110.0), &[]).unwrap();
    assert_eq!(status(&later), Status::Good);
    let values: Vec<f64> = later.samples.iter().map(|s| s.value.unwrap()).collect();
    assert!(
        (values[0] - 100.0).abs() < 5.0 && values[1] < values[0] && values[0] < values[2],
        "{values:?}"
    );
}

#[test]
fn inputs_are_means_over_the_window() {
    let mut predictor = warm();
    // one poll at 86 °F = 30 °C among ten at 10 °C: mean 12 °C, inside the trained range
    let frame = predictor.take(&plc(10.5, 86.0, 110.0), &[]).unwrap();
    assert_eq!(status(&frame), Status::Good);
    assert!((frame.samples[0].value.unwrap() - 120.0).abs() < 15.0);
}

#[test]
fn nothing_is_predicted_while_the_turbine_stands_or_is_not_known_to_run() {
    let mut predictor = warm();
    assert_eq!(predictor.take(&plc(10.5, 50.0, 5.0), &[]), None);
    assert_eq!(predictor.is_running(), Some(false));
    // the means begin anew; the slower input is held
    assert_eq!(
        status(&predictor.take(&plc(12.5, 50.0, 110.0), &[]).unwrap()),
        Status::Uncertain(Reason::WarmingUp)
    );
    let mut frame = plc(13.5, 50.0, 110.0);
    frame.samples[1] = Sample::missing(TagId(1), Reason::NoCommunication);
    assert_eq!(predictor.take(&frame, &[]), None);
    assert_eq!(predictor.is_running(), None);
}

#[test]
fn a_bad_input_gives_none_and_an_uncertain_one_an_uncertain_prediction() {
    let mut predictor = warm();
    predictor.take(&hygro(10.1, Status::Uncertain(Reason::LastKnown)), &[]);
    assert_eq!(
        status(&predictor.take(&plc(10.5, 50.0, 110.0), &[]).unwrap()),
        Status::Uncertain(Reason::InputQuality)
    );
    predictor.take(&hygro(11.1, Status::Bad(Reason::OutOfRange)), &[]);
    assert_eq!(predictor.take(&plc(11.5, 50.0, 110.0), &[]), None);
    predictor.take(&hygro(12.1, Status::Good), &[]);
    assert_eq!(
        status(&predictor.take(&plc(12.5, 50.0, 110.0), &[]).unwrap()),
        Status::Good
    );
}

#[test]
fn outside_of_what_the_model_knows_the_prediction_is_uncertain() {
    let mut predictor = warm();
    let mut last = None;
    for t in 10..25 {
        last = predictor.take(&plc(f64::from(t) + 0.5, 200.0, 110.0), &[]).or(last);
    }
    assert_eq!(status(&last.unwrap()), Status::Uncertain(Reason::OutOfRange));
}

#[test]
fn an_imported_model_gives_uncertain_values_without_an_interval() {
    let own = Model::from_bytes(&model()).unwrap();
    let onnx = models::exchange::to_onnx(&own, "").unwrap();
    let inputs: Vec<_> = own.inputs().iter().map(|i| (i.name.clone(), i.unit.clone())).collect();
    let imported = models::exchange::from_onnx(onnx, &inputs, own.target().clone(), String::new()).unwrap();
    let mut predictor = warm_with(&imported.to_bytes().unwrap());
    let frame = predictor.take(&plc(10.5, 50.0, 110.0), &[]).unwrap();
    assert_eq!(status(&frame), Status::Uncertain(Reason::RangeUnknown));
    assert_eq!(frame.samples.len(), 1);
    assert!((frame.samples[0].value.unwrap() - 100.0).abs() < 5.0);
}

#[test]
fn history_that_arrives_late_changes_nothing() {
    let mut predictor = warm();
    assert_eq!(predictor.take(&plc(3.0, 200.0, 0.0), &[]), None);
    assert_eq!(predictor.is_running(), Some(true));
    assert_eq!(
        status(&predictor.take(&plc(10.5, 50.0, 110.0), &[]).unwrap()),
        Status::Good
    );
}

#[test]
fn a_model_that_does_not_fit_the_plant_is_refused_with_the_line() {
    let refused = |plant: String, model: &[u8]| load(&plant, model).err().unwrap().to_string();
    let model = model();
    let message = refused(PLANT.replace("AH = \"H\"", "XX = \"H\""), &model);
    assert!(
        message.starts_with("p.plant.toml:") && message.contains("XX"),
        "{message}"
    );
    let message = refused(PLANT.replace(", AH = \"H\"", ""), &model);
    assert!(message.contains("needs the input AH"), "{message}");
    let message = refused(PLANT.replace("unit = \"degF\"", "unit = \"bar\""), &model);
    assert!(message.contains("AT") && message.contains("bar"), "{message}");
    let message = refused(PLANT.replace("target = \"NOX\"", "target = \"CO\""), &model);
    assert!(message.contains("predicts NOX, not CO"), "{message}");
    assert!(
        refused(PLANT.into(), &model[..100]).contains("damaged"),
        "a damaged file"
    );
    let message = refused(PLANT.replace("m.xt", "none.xt"), &model);
    assert!(message.contains("none.xt"), "{message}");
}
