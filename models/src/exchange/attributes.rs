//! The attributes of a TreeEnsembleRegressor, by name. A missing one is its default; numbers of single and double precision are read
//! alike.

use super::schema::{Attribute, Node, Tensor, data_type};

/// The attributes of a node of the graph. Every error is a sentence about an attribute.
pub struct Attributes<'a>(pub &'a Node);

impl<'a> Attributes<'a> {
    fn find(&self, name: &str) -> Result<Option<&'a Attribute>, String> {
        let mut found = self.0.attributes.iter().filter(|a| a.name == name);
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(format!("{name} stands twice")),
            (first, None) => Ok(first),
        }
    }

    /// A number.
    pub fn int(&self, name: &str) -> Result<Option<i64>, String> {
        Ok(self.find(name)?.map(|a| a.int))
    }

    /// A word.
    pub fn word(&self, name: &str, default: &'a str) -> Result<&'a str, String> {
        let Some(found) = self.find(name)? else {
            return Ok(default);
        };
        std::str::from_utf8(&found.string).map_err(|_| format!("{name} is no text"))
    }

    /// Whole numbers, one for each of `count`.
    pub fn ints(&self, name: &str, count: usize) -> Result<&'a [i64], String> {
        let found = self.find(name)?.map_or(&[][..], |a| &a.ints);
        expect(name, found.len(), count)?;
        Ok(found)
    }

    /// Whole numbers, as many as there are.
    pub fn all_ints(&self, name: &str) -> Result<&'a [i64], String> {
        Ok(self.find(name)?.map_or(&[][..], |a| &a.ints))
    }

    /// Words, one for each of `count`.
    pub fn words(&self, name: &str, count: usize) -> Result<&'a [prost::bytes::Bytes], String> {
        let found = self.find(name)?.map_or(&[][..], |a| &a.strings);
        expect(name, found.len(), count)?;
        Ok(found)
    }

    /// Numbers, one for each of `count`.
    pub fn numbers(&self, name: &str, count: usize) -> Result<Vec<f64>, String> {
        let found = self.all_numbers(name)?;
        expect(name, found.len(), count)?;
        Ok(found)
    }

    /// Numbers, as many as there are, from the attribute of this name or its tensor (`…_as_tensor`).
    pub fn all_numbers(&self, name: &str) -> Result<Vec<f64>, String> {
        let tensor_name = format!("{name}_as_tensor");
        match (self.find(name)?, self.find(&tensor_name)?) {
            (Some(_), Some(_)) => Err(format!("{name} and {tensor_name} stand side by side")),
            (Some(found), None) => Ok(widened(&found.floats)),
            (None, Some(found)) => {
                let tensor = found.tensor.as_ref().ok_or(format!("{tensor_name} has no tensor"))?;
                numbers_of(tensor).map_err(|message| format!("{tensor_name} {message}"))
            }
            (None, None) => Ok(Vec::new()),
        }
    }
}

fn expect(name: &str, found: usize, count: usize) -> Result<(), String> {
    if found == count {
        Ok(())
    } else {
        Err(format!("{name} has {found} entries where {count} are expected"))
    }
}

fn widened(numbers: &[f32]) -> Vec<f64> {
    numbers.iter().copied().map(f64::from).collect()
}

fn numbers_of(tensor: &Tensor) -> Result<Vec<f64>, String> {
    if tensor.location != 0 {
        return Err("keeps its numbers in another file; supported are numbers in the file itself".to_owned());
    }
    let is_whole = |size: usize| tensor.raw.len().is_multiple_of(size);
    match tensor.data_type {
        data_type::FLOAT if tensor.raw.is_empty() => Ok(widened(&tensor.floats)),
        data_type::DOUBLE if tensor.raw.is_empty() => Ok(tensor.doubles.clone()),
        data_type::FLOAT if is_whole(4) => {
            let (numbers, _) = tensor.raw.as_chunks::<4>();
            Ok(numbers.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect())
        }
        data_type::DOUBLE if is_whole(8) => {
            let (numbers, _) = tensor.raw.as_chunks::<8>();
            Ok(numbers.iter().map(|b| f64::from_le_bytes(*b)).collect())
        }
        data_type::FLOAT | data_type::DOUBLE => Err("is cut short".to_owned()),
        other => Err(format!("has numbers of type {other}; supported are float and double")),
    }
}
