//! Which stretch of time is shown. Pure.

/// Lengths offered, in seconds.
pub const SPANS: [f64; 6] = [60.0, 600.0, 3600.0, 8.0 * 3600.0, 24.0 * 3600.0, 7.0 * 24.0 * 3600.0];
const SHORTEST: f64 = 5.0;
const LONGEST: f64 = 10.0 * 366.0 * 24.0 * 3600.0;

/// Where the window's end is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    /// At the newest values.
    Follow,
    /// At this time, in seconds since 1970: the user moved it.
    At(f64),
    /// At this time, and nothing on the screen moves. Recording goes on.
    Paused(f64),
}

/// The stretch of time that is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeWindow {
    /// Its length in seconds.
    pub span: f64,
    /// Where it ends.
    pub mode: Mode,
}

impl Default for TimeWindow {
    fn default() -> Self {
        Self {
            span: 60.0,
            mode: Mode::Follow,
        }
    }
}

impl TimeWindow {
    /// The window's end when the engine's clock shows `now`.
    pub fn end(&self, now: f64) -> f64 {
        match self.mode {
            Mode::Follow => now,
            Mode::At(end) | Mode::Paused(end) => end,
        }
    }

    /// Begin and end.
    pub fn range(&self, now: f64) -> (f64, f64) {
        let end = self.end(now);
        (end - self.span, end)
    }

    /// A new length. Following goes on: only the window's width changes.
    pub fn set_span(&mut self, span: f64) {
        self.span = span.clamp(SHORTEST, LONGEST);
    }

    /// Zooms by a factor about a place in the window, 0 its begin and 1 its end. While following the end stays.
    pub fn zoom(&mut self, factor: f64, place: f64) {
        let before = self.span;
        self.set_span(self.span / factor);
        if let Mode::At(end) | Mode::Paused(end) = &mut self.mode {
            *end -= (before - self.span) * (1.0 - place);
        }
    }

    /// Moves by so many seconds; that ends following, visibly.
    pub fn pan(&mut self, secs: f64, now: f64) {
        let end = (self.end(now) + secs).min(now + self.span / 2.0);
        self.mode = match self.mode {
            Mode::Paused(_) => Mode::Paused(end),
            _ => Mode::At(end),
        };
    }

    /// Follows, or stands where it is.
    pub fn toggle_follow(&mut self, now: f64) {
        self.mode = if self.mode == Mode::Follow {
            Mode::At(now)
        } else {
            Mode::Follow
        };
    }

    /// Freezes the view, or goes live again.
    pub fn toggle_pause(&mut self, now: f64) {
        self.mode = match self.mode {
            Mode::Paused(_) => Mode::Follow,
            _ => Mode::Paused(self.end(now)),
        };
    }

    /// Seconds that the view is behind, while it does not follow.
    pub fn behind(&self, now: f64) -> Option<f64> {
        (self.mode != Mode::Follow).then(|| (now - self.end(now)).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zooming_does_not_end_following() {
        let mut w = TimeWindow::default();
        w.zoom(0.5, 0.2);
        assert_eq!(
            (w.mode, w.span, w.range(1000.0)),
            (Mode::Follow, 120.0, (880.0, 1000.0))
        );
    }

    #[test]
    fn panning_ends_following_and_follow_brings_it_back() {
        let mut w = TimeWindow::default();
        w.pan(-100.0, 1000.0);
        assert_eq!(w.range(1050.0), (840.0, 900.0));
        assert_eq!(w.behind(1050.0), Some(150.0));
        w.toggle_follow(1050.0);
        assert_eq!((w.range(1060.0), w.behind(1060.0)), ((1000.0, 1060.0), None));
    }

    #[test]
    fn a_pause_stands_still_and_ends_live() {
        let mut w = TimeWindow::default();
        w.toggle_pause(1000.0);
        assert_eq!(w.range(2000.0), (940.0, 1000.0));
        w.toggle_pause(2000.0);
        assert_eq!(w.mode, Mode::Follow);
    }

    #[test]
    fn zooming_keeps_the_place_under_the_pointer() {
        let mut w = TimeWindow {
            span: 100.0,
            mode: Mode::At(1000.0),
        };
        w.zoom(2.0, 0.25);
        assert_eq!(w.range(0.0), (912.5, 962.5));
    }

    #[test]
    fn the_length_has_bounds() {
        let mut w = TimeWindow::default();
        w.set_span(0.0);
        assert_eq!(w.span, 5.0);
        w.set_span(f64::INFINITY);
        assert!(w.span.is_finite());
    }
}
