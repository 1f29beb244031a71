//! What a database holds, as its user describes it and as it is found in the file.

use domain::plant::RunningWhen;
use domain::tag::Origin;
use domain::{Basis, Tag, TagId, TagName, Unit};

/// What is going to be recorded.
#[derive(Clone, Debug)]
pub struct Description {
    /// The plant's name.
    pub plant: String,
    /// The turbine's name.
    pub turbine: String,
    /// A zone of the tz database, for reports and the screen.
    pub timezone: String,
    /// When the turbine counts as running: what trains from the database has to know it.
    pub running_when: Option<RunningWhen>,
    /// All tags in the order of the plant: a [`TagId`] is a place in this list.
    pub tags: Vec<Tag>,
    /// What frames arrive: a [`StreamId`] is a place in this list.
    pub streams: Vec<StreamDescription>,
}

/// Where frames of the same tags come from. A row has room for every tag of its stream, about a byte for one that is not
/// in the frame: a source of many tags that come one by one is better described as several streams, each with some of
/// them.
#[derive(Clone, Debug)]
pub struct StreamDescription {
    /// The source's id, the target for predictions, or `import`.
    pub source: String,
    /// The model, where the frames are predictions.
    pub model: Option<ModelId>,
    /// The tags its frames may hold.
    pub tags: Vec<TagId>,
}

/// Which model made a prediction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelId {
    /// SHA-256 of the model's file, in hexadecimal.
    pub sha256: String,
    /// The tag that it predicts.
    pub target: TagName,
}

/// A place in [`Description::streams`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StreamId(pub u32);

/// Whose data a database holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlantIdentity {
    /// The plant's name.
    pub plant: String,
    /// The turbine's name.
    pub turbine: String,
    /// A zone of the tz database.
    pub timezone: String,
    /// A name that no other database has, 32 hexadecimal digits; none of a database of an earlier version that was not
    /// recorded into since.
    pub store_id: Option<String>,
}

/// When the turbine of a database counts as running.
#[derive(Clone, Debug, PartialEq)]
pub struct RunningRule {
    /// The tag that tells.
    pub tag: TagName,
    /// Running while its value is above this, in the tag's unit.
    pub above: f64,
}

/// A tag as the database knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredTag {
    /// Its name.
    pub name: TagName,
    /// The unit of its values.
    pub unit: Unit,
    /// Dry or wet, and at which oxygen, where that matters.
    pub basis: Option<Basis>,
    /// What it is, in the plant's own words.
    pub description: String,
    /// Measured or predicted.
    pub origin: Origin,
    /// How late the value is at the instrument, in seconds, as the plant file last said.
    pub lag_secs: f64,
}

impl StoredTag {
    /// Unit and basis as one text.
    pub(crate) fn unit_label(unit: Unit, basis: Option<Basis>) -> String {
        basis.map_or_else(|| unit.name().to_owned(), |basis| format!("{unit} ({basis})"))
    }
}
