//! The versioned messages between engine and interface.
//!
//! The interface asks, the engine answers each request with one [`Update`]. Frames are `postcard` behind a version byte
//! and are at most [`MAX_FRAME`] bytes long.

use domain::{Reason, Tag, TagId, Timestamp, quality::Status};
use serde::{Deserialize, Serialize};

/// Version of the messages. Both ends must have the same: program and interface are built together.
pub const PROTOCOL: u8 = 3;

/// Longest frame in bytes.
pub const MAX_FRAME: usize = 4 << 20;

/// Widest window in pixels that may be asked for.
pub const MAX_WIDTH: u32 = 8192;

/// What the interface asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// What changes with the plant file alone.
    Plant,
    /// The newest value of every tag, the sources, the alarms.
    Live,
    /// Curves of a span of time.
    Window(WindowRequest),
}

/// Curves of a span of time, reduced to what a plot of this width can show.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WindowRequest {
    /// Chosen by the interface and given back with the answer.
    pub id: u32,
    /// The curves wanted.
    pub tags: Vec<TagId>,
    /// First moment of the window, inclusive.
    pub from: Timestamp,
    /// Last moment, exclusive.
    pub to: Timestamp,
    /// Width of the plot in physical pixels, at most [`MAX_WIDTH`].
    pub width: u32,
}

/// What the engine answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Update {
    /// Answer to [`Request::Plant`].
    Plant(Plant),
    /// Answer to [`Request::Live`].
    Live(Live),
    /// Answer to [`Request::Window`].
    Window(Window),
    /// The request could not be answered; the reason for the event log.
    Refused(String),
}

/// What changes with the plant file alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plant {
    /// Counts the plant files that were taken up in this run.
    pub revision: u32,
    /// The plant's name.
    pub name: String,
    /// The turbine's name.
    pub turbine: String,
    /// Zone of the tz database for the screen.
    pub timezone: String,
    /// Every tag: measured, predicted, the program's own, and those that are retired and only keep their number.
    pub tags: Vec<Tag>,
    /// What is predicted.
    pub models: Vec<Model>,
    /// What may not be exceeded.
    pub limits: Vec<Limit>,
    /// The values come from the simulated turbine: everything that shows them says so.
    pub is_demo: bool,
    /// The database, as an absolute path.
    pub database: String,
    /// Version of the program.
    pub version: String,
}

/// A model at work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// The measured tag it predicts, where there is one.
    pub measured: Option<TagId>,
    /// Its prediction.
    pub value: TagId,
    /// Lower end of the 90 % interval.
    pub low: TagId,
    /// Upper end of the 90 % interval.
    pub high: TagId,
    /// Inputs in the model's order.
    pub inputs: Vec<TagId>,
    /// Length of the running means it is fed with, seconds.
    pub average_secs: f64,
    /// First digits of the model file's SHA-256.
    pub id: String,
}

/// A limit on the mean of a tag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// The limited tag.
    pub tag: TagId,
    /// In the tag's unit.
    pub high: f64,
    /// Length of the averaging period, seconds.
    pub average_secs: f64,
}

/// The state of things now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Live {
    /// The [`Plant::revision`] in force; another one than the interface has: ask for the plant again.
    pub revision: u32,
    /// Why the plant file as it is on the disk is not in force.
    pub refused: Option<String>,
    /// The engine's clock when it answered.
    pub now: Timestamp,
    /// The newest reading of every tag, in the order of [`Plant::tags`]; none: never read.
    pub values: Vec<Option<Newest>>,
    /// The sources, in the order of the plant file.
    pub sources: Vec<Source>,
    /// Limits that are exceeded now.
    pub alarms: Vec<Alarm>,
    /// Does the turbine run? None: not known (yet).
    pub is_running: Option<bool>,
    /// Readings stored since the program started, and predictions.
    pub readings: u64,
    /// Predictions stored since the program started.
    pub predictions: u64,
    /// Size of the database in bytes.
    pub database_bytes: u64,
    /// Recording goes on; otherwise why not.
    pub recording: Recording,
}

/// Whether readings reach the disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Recording {
    /// Every reading is committed.
    On,
    /// The database refuses; readings wait in memory.
    Failing(String),
    /// Every reading is committed, but the disk is nearly full or the log grows: what it is.
    Endangered(String),
    /// Another program records; this one only shows.
    Elsewhere {
        /// Its process, where that is known.
        pid: Option<u32>,
    },
    /// This program only shows, and the one that recorded is gone.
    Nobody,
}

/// The newest reading of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Newest {
    /// When it was measured.
    pub time: Timestamp,
    /// The number in the tag's unit; none where nothing was measured.
    pub value: Option<f64>,
    /// How good it is.
    pub status: Status,
}

/// A source's link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkState {
    /// Values arrive.
    Connected,
    /// Not yet, or again.
    Connecting,
    /// Nobody answers.
    Offline,
}

impl LinkState {
    /// The word used in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Connecting => "connecting",
            Self::Offline => "offline",
        }
    }
}

/// A source and how it fares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Its name in the plant file.
    pub id: String,
    /// The word of the plant file: `modbus-tcp`.
    pub kind: String,
    /// Its link.
    pub state: LinkState,
    /// Readings it gave since the program started.
    pub readings: u64,
    /// Timeouts, exceptions, rejected lines and messages.
    pub errors: u64,
    /// The last thing that went wrong.
    pub last_error: Option<String>,
}

/// A limit that is exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// Its place in [`Plant::limits`].
    pub limit: u32,
    /// When it began.
    pub since: Timestamp,
    /// The mean now.
    pub mean: f64,
}

/// Curves of a span of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// The request's.
    pub id: u32,
    /// The request's.
    pub from: Timestamp,
    /// The request's.
    pub to: Timestamp,
    /// In the order of the request.
    pub curves: Vec<Curve>,
}

/// One tag's curve, column-wise; columns without a reading are left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Middle of each column: microseconds after [`Window::from`].
    pub offset_micros: Vec<i64>,
    /// Least value, NaN where the column holds no value that is not bad: the curve breaks there.
    pub min: Vec<f64>,
    /// Greatest value.
    pub max: Vec<f64>,
    /// Mean.
    pub mean: Vec<f64>,
    /// Worst quality in the column: 0 good, 1 uncertain, 2 bad.
    pub quality: Vec<u8>,
    /// Does a column stand for several readings?
    pub is_reduced: bool,
}

/// A frame that is no message of this version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Longer than [`MAX_FRAME`].
    #[error("a frame of {0} bytes; at most {MAX_FRAME} are allowed")]
    TooLong(usize),
    /// Another version of the messages.
    #[error("a frame of protocol {0:?}; this program speaks {PROTOCOL}")]
    OtherProtocol(Option<u8>),
    /// Not a message.
    #[error("a damaged frame: {0}")]
    Damaged(postcard::Error),
}

/// A message as bytes: the version, then postcard.
///
/// # Errors
/// [`FrameError::TooLong`].
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    let bytes = postcard::to_extend(message, vec![PROTOCOL]).map_err(FrameError::Damaged)?;
    if bytes.len() > MAX_FRAME {
        Err(FrameError::TooLong(bytes.len()))
    } else {
        Ok(bytes)
    }
}

/// The message of a frame.
///
/// # Errors
/// [`FrameError`]; never panics, whatever the bytes.
pub fn decode<'a, T: Deserialize<'a>>(frame: &'a [u8]) -> Result<T, FrameError> {
    if frame.len() > MAX_FRAME {
        return Err(FrameError::TooLong(frame.len()));
    }
    match frame.split_first() {
        Some((&PROTOCOL, body)) => postcard::from_bytes(body).map_err(FrameError::Damaged),
        other => Err(FrameError::OtherProtocol(other.map(|(v, _)| *v))),
    }
}

/// The one way in which an interface talks to an engine, wherever that runs.
pub trait Link {
    /// Asks; the answer comes through [`Link::try_recv`]. A link that is overloaded may drop a request.
    fn send(&mut self, request: Request);
    /// The next answer, if one is there.
    fn try_recv(&mut self) -> Option<Update>;
}

/// The key of a reason's text in the message files.
pub fn reason_key(reason: Reason) -> String {
    format!("reason-{reason}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_survives_its_frame() {
        let request = Request::Window(WindowRequest {
            id: 7,
            tags: vec![TagId(0), TagId(3)],
            from: Timestamp::from_micros(0),
            to: Timestamp::from_micros(10),
            width: 800,
        });
        assert_eq!(decode(&encode(&request).unwrap()), Ok(request));
    }

    #[test]
    fn foreign_bytes_are_refused() {
        assert_eq!(decode::<Request>(&[]), Err(FrameError::OtherProtocol(None)));
        assert_eq!(decode::<Request>(&[9, 0]), Err(FrameError::OtherProtocol(Some(9))));
        assert!(matches!(
            decode::<Request>(&[PROTOCOL, 200, 1]),
            Err(FrameError::Damaged(_))
        ));
        assert!(matches!(
            decode::<Request>(&vec![PROTOCOL; MAX_FRAME + 1]),
            Err(FrameError::TooLong(_))
        ));
    }
}
