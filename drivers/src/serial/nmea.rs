//! Sentences of NMEA 0183: `$TYPE,field,…*hh`. Every one carries a check sum, and it is right.
//!
//! Fields are counted as in the tables of the standard: 1 is the first behind the type, 0 the type itself. A field's key
//! is the type (`WIMDA`), or its last three letters whoever the talker is (`MDA`).

use super::{
    check::checked,
    parse::{Line, Wrong, name, number, text},
};
use domain::{
    Status,
    plant::{Checksum, SerialField},
};

/// Reads sentences.
pub struct Nmea {
    fields: Vec<SerialField>,
}

impl Nmea {
    /// For these fields.
    pub fn new(fields: Vec<SerialField>) -> Self {
        Self { fields }
    }

    /// The values of this sentence; nothing where no field is of its type.
    ///
    /// # Errors
    /// Why it is rejected.
    pub fn read(&self, line: &[u8]) -> Result<Line, Wrong> {
        let sentence = text(checked(line, Checksum::NmeaXor)?)?;
        if let Some(c) = sentence.chars().find(|c| matches!(c, '$' | '*') || c.is_control()) {
            return Err(Wrong::Text(format!(
                "{c:?} stands in the middle of it: more than one sentence"
            )));
        }
        let texts: Vec<&str> = sentence.split(',').collect();
        let wanted = self.fields.iter().filter(|f| is_of(texts[0], f.key.as_deref()));
        let value = |field: &SerialField| {
            let text = texts.get(field.index);
            let text = text.ok_or_else(|| Wrong::Text(format!("field {} is missing", name(field))))?;
            number(text, field, Status::Good)
        };
        let values = wanted.map(value).collect::<Result<Vec<_>, _>>()?;
        Ok(if values.is_empty() {
            Line::Other
        } else {
            Line::Values(values)
        })
    }
}

fn is_of(kind: &str, key: Option<&str>) -> bool {
    key.is_none_or(|key| kind == key || (key.len() == 3 && kind.len() == 5 && kind.ends_with(key)))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            check::xor,
            parse::tests::{field, values},
        },
        *,
    };

    fn sentence(text: &str) -> Vec<u8> {
        format!("${text}*{:02X}", xor(text.as_bytes())).into_bytes()
    }

    fn nmea() -> Nmea {
        Nmea::new(vec![
            field(0, Some("MDA"), 3),
            field(1, Some("WIMDA"), 5),
            field(2, Some("XDR"), 2),
        ])
    }

    #[test]
    fn a_sentence_gives_the_fields_of_its_type() {
        let nmea = nmea();
        assert_eq!(
            values(nmea.read(&sentence("WIMDA,30.01,I,1.0163,B,18.6,C,,,,"))),
            Some(vec![1.0163, 18.6])
        );
        assert_eq!(values(nmea.read(&sentence("WIXDR,C,19.2,C,TEMP"))), Some(vec![19.2]));
        assert_eq!(
            values(nmea.read(&sentence("IIMDA,30.01,I,1.0163,B,18.6,C"))),
            Some(vec![1.0163])
        );
        assert_eq!(
            nmea.read(&sentence("GPGLL,5057.970,N,00146.110,E,142451,A")),
            Ok(Line::Other)
        );
        // a start mark that the framing took off is not missed
        assert_eq!(nmea.read(b"GPGLL,5057.970,N,00146.110,E,142451,A*27"), Ok(Line::Other));
    }

    #[test]
    fn ugly_sentences_give_nothing() {
        let nmea = nmea();
        let whole = String::from_utf8(sentence("WIMDA,30.01,I,1.0163,B,18.6,C")).unwrap();
        for line in [
            whole.replace("1.0163", "1.0164"),
            whole[..whole.len() - 3].to_owned(),
            format!("{whole}{whole}"),
            String::from_utf8(sentence("WIMDA,30.01,I,,B,18.6,C")).unwrap(),
            String::from_utf8(sentence("WIMDA,30.01,I,1.0163,B")).unwrap(),
            String::from_utf8(sentence("WIMDA,30.01,I,inf,B,18.6")).unwrap(),
            String::from_utf8(sentence("WIMDA,30.01,I,1.01$WIMDA,1,I,1.2,B,18.6")).unwrap(),
            String::new(),
            "$*00".to_owned() + "*00",
        ] {
            assert!(nmea.read(line.as_bytes()).is_err(), "{line}");
        }
    }
}
