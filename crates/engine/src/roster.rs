//! What is recorded: tags and streams with the numbers that they keep while the engine runs, whatever the plant file
//! becomes meanwhile.

use domain::{
    Tag, TagId, TagName,
    tag::{Origin, take_up},
    unit::Unit,
};
use store::{Description, ModelId, StreamDescription, StreamId};

/// The stream of the program's own tags; no source can have this name.
const OWN: &str = "sys.engine";

/// See the module.
#[derive(Clone)]
pub struct Roster {
    tags: Vec<Tag>,
    streams: Vec<StreamDescription>,
}

impl Roster {
    /// Nothing but the stream of the program's own tags.
    pub fn new() -> Self {
        let own = StreamDescription {
            source: OWN.to_owned(),
            model: None,
            tags: Vec::new(),
        };
        Self {
            tags: Vec::new(),
            streams: vec![own],
        }
    }

    /// All tags; a [`TagId`] is a place in this list.
    pub fn tags(&self) -> &[Tag] {
        &self.tags
    }

    /// Takes over the tags of a plant file that was read [after](crate::LoadedPlant::read_after) these, with those of its
    /// predictions.
    pub fn set_tags(&mut self, tags: Vec<Tag>) {
        self.tags = tags;
    }

    /// The stream of the program's own tags.
    pub fn own_stream(&self) -> StreamId {
        StreamId(0)
    }

    /// One of the program's own tags.
    pub fn own_tag(&mut self, name: &str, unit: Unit, description: &str) -> Option<TagId> {
        let tag = Tag {
            name: TagName::new(name)?,
            unit,
            basis: None,
            description: description.to_owned(),
            min: None,
            max: None,
            lag_secs: 0.0,
            origin: Origin::System,
        };
        let id = take_up(&mut self.tags, tag);
        let own = &mut self.streams[0].tags;
        if !own.contains(&id) {
            own.push(id);
        }
        Some(id)
    }

    /// The stream of a source that gives these tags. Tags it gave before stay in it: frames of them may be on their way.
    pub fn source_stream(&mut self, source: &str, tags: &[TagId]) -> StreamId {
        self.stream(source, None, tags)
    }

    /// The stream of a model's predictions.
    pub fn model_stream(&mut self, target: &str, model: ModelId, tags: &[TagId]) -> StreamId {
        self.stream(target, Some(model), tags)
    }

    fn stream(&mut self, source: &str, model: Option<ModelId>, tags: &[TagId]) -> StreamId {
        let known = self.streams.iter().position(|s| s.source == source && s.model == model);
        let place = known.unwrap_or_else(|| {
            self.streams.push(StreamDescription {
                source: source.to_owned(),
                model,
                tags: Vec::new(),
            });
            self.streams.len() - 1
        });
        let known = &mut self.streams[place].tags;
        let new: Vec<TagId> = tags.iter().copied().filter(|t| !known.contains(t)).collect();
        known.extend(new);
        StreamId(place as u32)
    }

    /// As the store wants it.
    pub fn description(&self, plant: &domain::PlantFile) -> Description {
        Description {
            plant: plant.name.clone(),
            turbine: plant.turbine.clone(),
            timezone: plant.timezone.clone(),
            running_when: plant.running_when.clone(),
            tags: self.tags.clone(),
            streams: self.streams.clone(),
        }
    }
}
