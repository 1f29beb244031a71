//! Numbers, sizes and spans as they are shown in the user's language. Pure.

use domain::i18n::{Language, Texts};

/// Writes numbers as the language of the texts has them.
#[derive(Clone, Copy)]
pub struct Format<'a>(pub &'a Texts);

impl Format<'_> {
    /// A value with as many decimals as its size needs, so that its width does not change while it moves a little.
    pub fn value(self, v: f64) -> String {
        let decimals = match v.abs() {
            a if a >= 100.0 => 1,
            a if a >= 10.0 => 2,
            _ => 3,
        };
        localised(self.0.language(), format!("{v:.decimals$}"))
    }

    /// A limit or another number that someone wrote: no more decimals than it has.
    pub fn written(self, v: f64) -> String {
        localised(self.0.language(), v.to_string())
    }

    /// A difference, with its sign.
    pub fn signed(self, v: f64) -> String {
        localised(self.0.language(), format!("{v:+.2}"))
    }

    /// A span of time: `12 s`, `3 min`, `5 h`, `2 d`.
    pub fn span(self, secs: f64) -> String {
        let (key, n) = match secs {
            s if s < 60.0 => ("span-seconds", s),
            s if s < 3600.0 => ("span-minutes", s / 60.0),
            s if s < 172_800.0 => ("span-hours", s / 3600.0),
            s => ("span-days", s / 86_400.0),
        };
        self.0.with(key, &[("n", format!("{:.0}", n.floor()).into())])
    }

    /// A size of a file.
    pub fn bytes(self, n: u64) -> String {
        let (key, decimals, n) = match n as f64 {
            b if b < 1e6 => ("size-kilobytes", 0, b / 1e3),
            b if b < 1e9 => ("size-megabytes", 1, b / 1e6),
            b => ("size-gigabytes", 2, b / 1e9),
        };
        let number = localised(self.0.language(), format!("{n:.decimals$}"));
        self.0.with(key, &[("n", number.into())])
    }

    /// A count with gaps between thousands.
    pub fn count(self, n: u64) -> String {
        let digits = n.to_string();
        let groups: Vec<&str> = digits
            .as_bytes()
            .rchunks(3)
            .rev()
            .filter_map(|c| std::str::from_utf8(c).ok())
            .collect();
        groups.join("\u{a0}")
    }
}

/// A written number with the language's decimal sign, and a minus in place of the hyphen, which is too short.
pub fn localised(language: Language, number: String) -> String {
    let number = number.replace('-', "−");
    match language {
        Language::En => number,
        Language::Fr => number.replace('.', ","),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_place() {
        let texts = Texts::new(Language::En);
        let f = Format(&texts);
        assert_eq!(
            [f.value(63.123), f.value(-0.5), f.value(550.04), f.value(1013.25)],
            ["63.12", "−0.500", "550.0", "1013.2"]
        );
        assert_eq!((f.signed(2.0), f.written(75.0)), ("+2.00".into(), "75".into()));
        assert_eq!(f.count(1_234_567), "1\u{a0}234\u{a0}567");
    }

    #[test]
    fn french_has_its_own_decimal_sign_days_and_bytes() {
        let texts = Texts::new(Language::Fr);
        let f = Format(&texts);
        assert_eq!((f.value(63.123), f.signed(-2.0)), ("63,12".into(), "−2,00".into()));
        assert_eq!(
            (f.span(7.0 * 86_400.0), f.bytes(1_500_000)),
            ("7 j".into(), "1,5 Mo".into())
        );
    }

    #[test]
    fn a_span_is_given_in_the_unit_one_would_say() {
        let texts = Texts::new(Language::En);
        let spans = [5.0, 60.0, 600.0, 3600.0, 28_800.0, 86_400.0, 604_800.0].map(|s| Format(&texts).span(s));
        assert_eq!(spans, ["5 s", "1 min", "10 min", "1 h", "8 h", "24 h", "7 d"]);
    }
}
