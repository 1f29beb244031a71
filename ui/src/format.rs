//! Numbers as they are shown. Pure.

/// A value with as many decimals as its size needs, so that its width does not change while it moves a little.
pub fn value(v: f64) -> String {
    let decimals = match v.abs() {
        a if a >= 1000.0 => 1,
        a if a >= 100.0 => 1,
        a if a >= 10.0 => 2,
        _ => 3,
    };
    minus(format!("{v:.decimals$}"))
}

/// A difference, with its sign.
pub fn signed(v: f64) -> String {
    minus(format!("{v:+.2}"))
}

/// A hyphen is too short for a minus.
fn minus(text: String) -> String {
    text.replace('-', "−")
}

/// A span of time: `12 s`, `3 min`, `5 h`, `2 d`.
pub fn span(secs: f64) -> String {
    match secs {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 3600.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3600.0),
        s => format!("{:.0} d", s / 86_400.0),
    }
}

/// A size of a file.
pub fn bytes(n: u64) -> String {
    match n as f64 {
        b if b < 1e6 => format!("{:.0} kB", b / 1e3),
        b if b < 1e9 => format!("{:.1} MB", b / 1e6),
        b => format!("{:.2} GB", b / 1e9),
    }
}

/// A count with thin gaps between thousands.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .filter_map(|c| std::str::from_utf8(c).ok())
        .collect();
    groups.join("\u{a0}")
}

/// A step of the time axis and the format of its marks, for a window of so many seconds and about so many marks.
pub fn time_step(span: f64, marks: f64) -> (f64, &'static str) {
    const STEPS: [(f64, &str); 17] = [
        (1.0, "%H:%M:%S"),
        (2.0, "%H:%M:%S"),
        (5.0, "%H:%M:%S"),
        (10.0, "%H:%M:%S"),
        (15.0, "%H:%M:%S"),
        (30.0, "%H:%M:%S"),
        (60.0, "%H:%M"),
        (120.0, "%H:%M"),
        (300.0, "%H:%M"),
        (600.0, "%H:%M"),
        (1800.0, "%H:%M"),
        (3600.0, "%H:%M"),
        (7200.0, "%H:%M"),
        (21_600.0, "%d.%m. %H:%M"),
        (43_200.0, "%d.%m. %H:%M"),
        (86_400.0, "%d.%m."),
        (604_800.0, "%d.%m.%Y"),
    ];
    let wanted = span / marks.max(1.0);
    STEPS
        .into_iter()
        .find(|(step, _)| *step >= wanted)
        .unwrap_or_else(|| ((wanted / 604_800.0).ceil() * 604_800.0, "%d.%m.%Y"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_place() {
        assert_eq!(
            [value(63.123), value(-0.5), value(550.04), value(1013.25)],
            ["63.12", "−0.500", "550.0", "1013.2"]
        );
        assert_eq!(signed(2.0), "+2.00");
        assert_eq!(count(1_234_567), "1\u{a0}234\u{a0}567");
    }

    #[test]
    fn the_time_axis_has_calendar_steps() {
        assert_eq!(time_step(60.0, 6.0).0, 10.0);
        assert_eq!(time_step(86_400.0, 8.0), (21_600.0, "%d.%m. %H:%M"));
        assert!(time_step(1e9, 8.0).0 >= 1.25e8);
    }
}
