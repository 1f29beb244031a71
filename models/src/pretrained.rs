//! The models that come with the program. Their card: `models/pretrained/README.md`.

/// The file of the model for this target, if one is shipped.
pub fn pretrained(target: &str) -> Option<&'static [u8]> {
    match target {
        "NOX" => Some(include_bytes!("../pretrained/NOX.xt")),
        "CO" => Some(include_bytes!("../pretrained/CO.xt")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Model;

    #[test]
    fn shipped_models_load_and_are_small() {
        for target in ["NOX", "CO"] {
            let bytes = pretrained(target).unwrap();
            assert!(bytes.len() <= 3 << 20, "{target}: {} bytes", bytes.len());
            let model = Model::from_bytes(bytes).unwrap();
            assert_eq!(model.target().name, target);
            assert!(
                Model::from_bytes(&model.to_bytes().unwrap()) == Ok(model.clone()),
                "{target}: the format loses something"
            );
            let names: Vec<_> = model.inputs().iter().map(|i| i.name.as_str()).collect();
            assert_eq!(names, ["AT", "AP", "AH", "AFDP", "GTEP", "TIT", "TAT", "TEY", "CDP"]);
        }
    }
}
