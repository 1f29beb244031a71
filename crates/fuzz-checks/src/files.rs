//! Files that a user brings.

use crate::{settings::tags, within_memory};
use domain::{PlantFile, TagId, plant::PlantError};
use drivers::parsers::history_rows::{Line, Rows};
use models::{Model, Target, exchange};

/// A history file.
pub fn history(file: &[u8]) {
    let tags = tags(&[("AT", "1"), ("AP", "1")]);
    let free = [TagId(0), TagId(1)];
    let Ok(mut rows) = within_memory(|| Rows::open(file, None, &tags, &free)) else {
        return;
    };
    let lines = file.iter().filter(|&&b| b == b'\n').count() as u64 + 1;
    for _ in 0..=lines {
        match within_memory(|| rows.next_line()).unwrap() {
            None => return,
            Some(Line::Row((_, values))) => assert!(values.iter().all(|(_, v)| v.is_finite())),
            Some(Line::Wrong { number, .. }) => assert!((2..=lines).contains(&number), "line {number} of {lines}"),
        }
    }
    panic!("more rows than lines");
}

const PLANT: &str = "schema = 1\n[plant]\nname = \"P\"\nturbine = \"T\"\n[store]\npath = \"x\"\n[[tag]]\nname = \"AT\"\nunit = \"degC\"\n\
    [[tag]]\nname = \"AP\"\nunit = \"mbar\"\n[[source]]\nid = \"plc\"\nkind = \"modbus-tcp\"\nhost = \"h\"\npoints_csv = \"map.csv\"\n";

/// A register map.
pub fn points_csv(map: &[u8]) {
    let map = String::from_utf8_lossy(map).into_owned();
    let lines = map.lines().count().max(1) + 1;
    let result = within_memory(|| PlantFile::parse(PLANT, "p", &|_| Ok(map.clone())));
    if let Err(error) = result {
        told_inside(&error, "map.csv", lines);
    }
}

/// A plant file.
pub fn plant_file(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let map = "tag,unit_id,address,type,order\nAP,1,HR22,uint16,\n";
    let result = within_memory(|| PlantFile::parse(&text, "p", &|_| Ok(map.into())));
    match result {
        Err(error) => told_inside(&error, "p", text.lines().count().max(1) + 1),
        Ok(plant) => {
            for source in &plant.sources {
                let tags = plant.source_tags(source);
                assert!(tags.iter().all(|t| t.index() < plant.tags.len()), "a tag that is none");
            }
        }
    }
}

/// Every problem stands at a line of its file.
fn told_inside(error: &PlantError, file: &str, lines: usize) {
    assert!(!error.0.is_empty(), "refused without a word");
    for problem in &error.0 {
        let is_inside = problem.file != file || (1..=lines).contains(&problem.line);
        assert!(is_inside && !problem.message.is_empty(), "{problem} of {lines} lines");
    }
}

/// A model file. The check sums are put right first, so that what lies behind them is reached: a file with wrong ones is
/// refused at once.
pub fn model(file: &[u8]) {
    if let Ok(model) = within_memory(|| Model::from_bytes(file)) {
        predicts(&model);
    }
    let mut file = file.to_vec();
    if put_right(&mut file).is_none() {
        return;
    }
    if let Ok(model) = within_memory(|| Model::from_bytes(&file)) {
        predicts(&model);
    }
}

/// An ONNX file with a forest of three inputs.
pub fn onnx(file: &[u8]) {
    let inputs = ["A", "B", "C"].map(|name| (name.to_owned(), String::new()));
    let target = Target {
        name: "Y".to_owned(),
        unit: String::new(),
    };
    let bytes = file.to_vec();
    if let Ok(model) = within_memory(|| exchange::from_onnx(bytes, &inputs, target, String::new())) {
        predicts(&model);
        let again = within_memory(|| Model::from_bytes(&model.to_bytes().unwrap()));
        assert_eq!(again, Ok(model), "a forest that its own file does not hold");
    }
}

fn predicts(model: &Model) {
    let inputs = model.inputs().len();
    assert!((1..=255).contains(&inputs) && model.forest().trees() > 0);
    for value in [0.0, 1.0, -1e30, 1e300, f64::NAN] {
        let prediction = within_memory(|| model.predict(&vec![value; inputs]));
        assert!(!prediction.value.is_infinite(), "an infinite prediction");
        assert!(
            value.is_finite() || prediction.value.is_nan(),
            "a prediction without inputs"
        );
    }
    assert!(model.predict(&vec![0.0; inputs + 1]).value.is_nan());
}

/// Writes right check sums into the table of contents (see the format in `models/src/model/file.rs`).
fn put_right(file: &mut [u8]) -> Option<()> {
    const HEAD: usize = 12;
    const ENTRY: usize = 36;
    let count = u32::from_le_bytes(file.get(8..HEAD)?.try_into().ok()?) as usize;
    for place in 0..count.min(64) {
        let start = HEAD + place * ENTRY;
        let entry = file.get(start..start + ENTRY)?;
        let number = |at: usize| u64::from_le_bytes(entry[at..at + 8].try_into().unwrap_or_default());
        let (from, length) = (usize::try_from(number(16)).ok()?, usize::try_from(number(24)).ok()?);
        let sum = crc32(file.get(from..from.checked_add(length)?)?);
        file[start + 32..start + ENTRY].copy_from_slice(&sum.to_le_bytes());
    }
    let head = HEAD + count.min(64) * ENTRY;
    let sum = crc32(file.get(..head)?);
    file.get_mut(head..head + 4)?.copy_from_slice(&sum.to_le_bytes());
    Some(())
}

/// CRC-32 of zip, bit by bit: apart from the program's own.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_sum_is_that_of_zip() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
