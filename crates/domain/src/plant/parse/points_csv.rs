//! Register maps as CSV beside the plant file: the heading holds the keys of `[[source.point]]`.

use super::modbus::PointText;
use crate::plant::Problem;

const KEYS: [&str; 8] = ["tag", "unit_id", "address", "type", "order", "scale", "offset", "unit"];

/// The points of a register map, one a line; line 1 is the heading. Empty cells are keys left out.
pub(super) fn points(text: &str, file: &str) -> Result<Vec<PointText>, Problem> {
    let problem = |line: usize, message: String| Problem {
        file: file.to_owned(),
        line,
        message,
    };
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .flexible(true)
        .from_reader(text.as_bytes());
    let heading = reader.headers().map_err(|e| problem(1, e.to_string()))?.clone();
    if let Some(unknown) = heading.iter().find(|h| !KEYS.contains(h)) {
        return Err(problem(
            1,
            format!("unknown column {unknown:?}; expected some of: {}", KEYS.join(", ")),
        ));
    }
    if let Some(missing) = ["tag", "address", "type"]
        .into_iter()
        .find(|k| !heading.iter().any(|h| h == *k))
    {
        return Err(problem(1, format!("the column `{missing}` is missing")));
    }
    let mut points = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| problem(e.position().map_or(1, |p| p.line() as usize), e.to_string()))?;
        let line = record.position().map_or(1, |p| p.line() as usize);
        if record.iter().all(str::is_empty) {
            continue;
        }
        if record.len() != heading.len() {
            return Err(problem(
                line,
                format!("{} cells where the heading has {}", record.len(), heading.len()),
            ));
        }
        let cell = |key: &str| {
            let text = heading.iter().position(|h| h == key).and_then(|i| record.get(i));
            text.filter(|t| !t.is_empty()).map(str::to_owned)
        };
        let number = |key: &str| match cell(key) {
            None => Ok(None),
            Some(t) => match t.parse::<f64>() {
                Ok(v) if v.is_finite() => Ok(Some(v)),
                _ => Err(problem(line, format!("`{key}` is {t:?}; expected a number"))),
            },
        };
        let unit_id = match cell("unit_id") {
            None => None,
            Some(t) => {
                let wrong = || {
                    problem(
                        line,
                        format!("`unit_id` is {t:?}; expected a whole number from 0 to 255"),
                    )
                };
                Some(t.parse::<u8>().map_err(|_| wrong())?)
            }
        };
        points.push(PointText {
            place: problem(line, String::new()).into(),
            tag: cell("tag").ok_or_else(|| problem(line, "`tag` is empty".into()))?,
            unit_id,
            address: cell("address").ok_or_else(|| problem(line, "`address` is empty".into()))?,
            wire_address: None,
            data_type: cell("type").ok_or_else(|| problem(line, "`type` is empty".into()))?,
            order: cell("order"),
            scale: number("scale")?,
            offset: number("offset")?,
            unit: cell("unit"),
            places: Default::default(),
        });
    }
    Ok(points)
}
