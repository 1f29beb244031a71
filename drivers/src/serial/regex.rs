//! Lines that match a pattern from their first byte to their last.

use super::parse::{Value, Wrong, number, text};
use domain::{
    Status,
    plant::{LinePattern, SerialField},
};

/// Reads lines of one device.
pub struct RegexParser {
    pattern: LinePattern,
    fields: Vec<SerialField>,
}

impl RegexParser {
    /// For these groups of the pattern.
    pub fn new(pattern: LinePattern, fields: Vec<SerialField>) -> Self {
        Self { pattern, fields }
    }

    /// The values of the wanted groups.
    ///
    /// # Errors
    /// Why the line is rejected.
    pub fn values(&self, line: &[u8]) -> Result<Vec<Value>, Wrong> {
        let groups = self.pattern.regex().captures(line);
        let groups = groups.ok_or_else(|| Wrong::Text("it does not match the pattern as a whole".into()))?;
        let value = |field: &SerialField| {
            let found = groups.get(field.index);
            let found = found.ok_or_else(|| Wrong::Text(format!("group {} is not in it", field.index)))?;
            number(text(found.as_bytes())?, field, Status::Good)
        };
        self.fields.iter().map(value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::parse::tests::field, *};

    fn read(pattern: &str, groups: &[usize], line: &[u8]) -> Option<Vec<f64>> {
        let fields = groups.iter().map(|g| field(0, None, *g)).collect();
        let values = RegexParser::new(LinePattern::new(pattern).unwrap(), fields)
            .values(line)
            .ok()?;
        Some(values.iter().map(|v| v.value).collect())
    }

    #[test]
    fn groups_give_numbers_where_the_whole_line_matches() {
        let pattern = r"NOX=\s*(?<nox>\S+) ppm(?:;O2=(?<o2>\S+) %)?";
        assert_eq!(
            read(pattern, &[1, 2], b"NOX= 60.25 ppm;O2=14.9 %"),
            Some(vec![60.25, 14.9])
        );
        assert_eq!(read(pattern, &[1], b"NOX=7349E+000 ppm"), Some(vec![7349.0]));
        for line in [
            &b"NOX=60.25 ppm"[..],
            b"NOX=60.25 ppm;O2=14.9 %NOX=60.5 ppm;O2=14.9 %",
            b"NOX=60.2NOX=60.5 ppm;O2=14.9 %",
            b"xNOX=60.25 ppm;O2=14.9 %",
            b"NOX=60.25 ppm;O2=--- %",
            b"NOX=\xff ppm;O2=14.9 %",
            b"NOX=60.25 ppm;O2=14.9 %\n",
            b"",
        ] {
            assert_eq!(read(pattern, &[1, 2], line), None, "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn alternatives_are_anchored_at_both_ends_too() {
        assert_eq!(read(r"a(\d)|b(\d)", &[1], b"a1x"), None);
        assert_eq!(read(r"a(\d)|b(\d)", &[1], b"xb1"), None);
        assert_eq!(read(r"a(\d)|b(\d)", &[1], b"a1"), Some(vec![1.0]));
    }
}
