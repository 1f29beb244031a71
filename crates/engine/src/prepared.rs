//! Everything that a plant file asks for, made ready before anything is changed: what cannot be made is an error, and the
//! running system is not touched.

use crate::{
    at_work::{self, AtWork},
    coverage::Counted,
    engine::StartError,
    export::postgres::{Plan, Target},
    follow,
    inference::Bound,
    limits::LimitMonitor,
    loaded::LoadedPlant,
    observer::OwnTags,
    roster::Roster,
    sensors::Guard,
    sources::{Ready, Running},
};
use domain::{Tag, TagId, plant::find_tag, tag::COVERAGE_TAG, unit::Unit};
use drivers::{Context, Source};
use std::{path::Path, sync::Arc};

/// See the module.
pub struct Prepared {
    /// What is recorded.
    pub roster: Roster,
    /// The sources, not started.
    pub sources: Vec<Ready>,
    /// The forests, bound to tags and streams.
    pub models: Vec<Bound>,
    /// The adaptive models.
    pub follows: Vec<follow::Plan>,
    described: Vec<view::Model>,
    /// What the predictions of each model are named, its SHA-256 and its file, as the plant file names it.
    pub in_force: Vec<(String, String, String)>,
    /// The guard of the inputs, which has seen nothing yet.
    pub guard: Option<Guard>,
    /// The limits, without history.
    pub limits: Vec<LimitMonitor>,
    /// The program's own tags.
    pub own_tags: OwnTags,
    /// The intervals whose coverage is counted.
    pub counted: Vec<Counted>,
    /// The continuous export, where the plant file asks for it.
    pub postgres: Option<Plan>,
}

impl Prepared {
    /// Makes everything ready for a plant. `roster`: what was recorded so far in this run.
    ///
    /// # Errors
    /// [`StartError`]: a model, a secret.
    pub fn new(loaded: &LoadedPlant, mut roster: Roster) -> Result<Self, StartError> {
        let plant = &loaded.plant;
        let mut tags = plant.tags.clone();
        let models = AtWork::all(loaded, &mut tags)?;
        let guard = plant
            .sensors
            .as_ref()
            .map(|check| Guard::load(loaded, check, &tags))
            .transpose()?;
        roster.set_tags(tags);
        let own_tags = OwnTags::of(
            &mut roster,
            plant.sources.iter().map(|s| s.id.as_str()),
            plant.postgres.as_ref().is_some_and(|p| p.enabled),
        )?;
        let counted = counted(&models, &mut roster)?;
        let mut ready = Vec::with_capacity(plant.sources.len());
        for (settings, source) in plant.sources.iter().zip(sources(loaded, roster.tags())?) {
            let tags = plant.source_tags(settings);
            ready.push(Ready {
                settings: settings.clone(),
                definitions: tags.iter().map(|t| roster.tags()[t.index()].clone()).collect(),
                stream: roster.source_stream(&settings.id, &tags),
                tags,
                source,
            });
        }
        let limits = plant.limits.iter().filter_map(|limit| {
            let tag = find_tag(roster.tags(), limit.tag.as_str())?;
            Some(LimitMonitor::new(
                tag,
                limit.tag.clone(),
                limit.high,
                limit.average_secs,
            ))
        });
        let limits = limits.collect();
        let described = models.iter().map(AtWork::describe).collect();
        let in_force = models
            .iter()
            .map(|m| (m.name.to_string(), m.sha256.clone(), m.file.clone()))
            .collect();
        let (models, follows) = at_work::put_in_place(models, &mut roster);
        Ok(Self {
            limits,
            roster,
            sources: ready,
            models,
            follows,
            described,
            in_force,
            guard,
            own_tags,
            counted,
            postgres: export_plan(loaded)?,
        })
    }

    /// What is different from the plant in force, one phrase each; nothing where the files say the same.
    pub fn changes(&self, now: &LoadedPlant, was: &LoadedPlant, running: &[Running]) -> Vec<String> {
        let mut changes = Vec::new();
        let ids: Vec<&str> = self.sources.iter().map(|s| s.settings.id.as_str()).collect();
        for ready in &self.sources {
            let id = &ready.settings.id;
            match running.iter().find(|r| r.id() == id) {
                None => changes.push(format!("source {id} added")),
                Some(running) if !running.is_like(ready) => changes.push(format!("source {id} changed")),
                Some(_) => {}
            }
        }
        let gone = running.iter().filter(|r| !ids.contains(&r.id()));
        changes.extend(gone.map(|r| format!("source {} removed", r.id())));
        let (now, was) = (&now.plant, &was.plant);
        let live = |tags: &[Tag]| -> Vec<Tag> {
            tags.iter()
                .filter(|t| t.origin == domain::tag::Origin::Measured)
                .cloned()
                .collect()
        };
        let is_bound_alike = |a: &domain::plant::ModelBinding, b: &domain::plant::ModelBinding| {
            let shadow = |m: &domain::plant::ModelBinding| m.shadow.as_ref().map(|(file, _)| file.clone());
            (&a.target, &a.file, a.average_secs, &a.inputs) == (&b.target, &b.file, b.average_secs, &b.inputs)
                && shadow(a) == shadow(b)
        };
        let exports_alike = |a: &domain::PlantFile, b: &domain::PlantFile| match (&a.postgres, &b.postgres) {
            (Some(a), Some(b)) => a.is_like(b),
            (a, b) => a.is_none() && b.is_none(),
        };
        let same_models = now.models.len() == was.models.len()
            && now.models.iter().zip(&was.models).all(|(a, b)| is_bound_alike(a, b));
        for (is_other, what) in [
            (live(&now.tags) != live(&was.tags), "tags changed"),
            (!same_models, "models changed"),
            (now.limits != was.limits, "limits changed"),
            (is_other_check(now, was), "sensor validation changed"),
            (now.running_when != was.running_when, "running_when changed"),
            ((&now.name, &now.turbine) != (&was.name, &was.turbine), "names changed"),
            (now.timezone != was.timezone, "time zone changed"),
            (now.store.retention != was.store.retention, "what is kept changed"),
            (!exports_alike(now, was), "export changed"),
        ] {
            if is_other {
                changes.push(what.to_owned());
            }
        }
        changes
    }

    /// What an interface has to know.
    pub fn view(&self, loaded: &LoadedPlant, database: &Path, is_demo: bool, revision: u32) -> view::Plant {
        let tags = self.roster.tags();
        let limit = |limit: &domain::plant::Limit| {
            let tag: Option<TagId> = find_tag(tags, limit.tag.as_str());
            tag.map(|tag| view::Limit {
                tag,
                high: limit.high,
                average_secs: limit.average_secs,
            })
        };
        view::Plant {
            revision,
            name: loaded.plant.name.clone(),
            turbine: loaded.plant.turbine.clone(),
            timezone: loaded.plant.timezone.clone(),
            tags: tags.to_vec(),
            models: self.described.clone(),
            limits: loaded.plant.limits.iter().filter_map(limit).collect(),
            is_demo,
            database: database.display().to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

fn is_other_check(now: &domain::PlantFile, was: &domain::PlantFile) -> bool {
    let of = |plant: &domain::PlantFile| {
        plant
            .sensors
            .as_ref()
            .map(|s| (s.file.clone(), s.period_secs, s.reconstruct))
    };
    of(now) != of(was)
}

/// The intervals of models whose target is measured, each with the program's own tag that keeps its coverage.
fn counted(models: &[AtWork], roster: &mut Roster) -> Result<Vec<Counted>, StartError> {
    let one = Unit::parse("1").map_err(std::io::Error::other)?;
    let counted = models.iter().filter_map(|model| {
        let view = model.describe();
        let tags = [view.measured?, view.low, view.high];
        let names = tags.map(|tag| roster.tags()[tag.index()].name.to_string());
        let tag = roster.own_tag(
            &format!("{COVERAGE_TAG}{}", model.name),
            one,
            "Share of the last 30 days' hours that lay within their 90 % interval",
        )?;
        Some(Counted { names, tag })
    });
    Ok(counted.collect())
}

/// What is exported continuously, and whereto.
fn export_plan(loaded: &LoadedPlant) -> Result<Option<Plan>, StartError> {
    let Some(settings) = loaded.plant.postgres.as_ref().filter(|p| p.enabled) else {
        return Ok(None);
    };
    let error = |message| StartError::Export {
        place: settings.place.clone(),
        message,
    };
    let secret = |reference: &String| crate::export::secret(reference, &loaded.folder);
    let password = settings.password.as_ref().map(secret).transpose().map_err(error)?;
    let target = Target::new(&settings.url, password.as_deref()).map_err(|e| error(e.to_string()))?;
    Ok(Some(Plan {
        target,
        with_system: settings.with_system,
        names: (loaded.plant.name.clone(), loaded.plant.turbine.clone()),
    }))
}

/// The drivers of a plant's sources, in the order of the plant file.
///
/// # Errors
/// [`StartError::Source`].
pub fn sources(loaded: &LoadedPlant, tags: &[Tag]) -> Result<Vec<Box<dyn Source>>, StartError> {
    let tags: Arc<[Tag]> = tags.into();
    let source = |settings: &domain::plant::Source| {
        let folder = loaded.folder.clone();
        let context = Context {
            tags: tags.clone(),
            source_tags: loaded.plant.source_tags(settings),
            secret: Arc::new(move |reference: &str| crate::export::secret(reference, &folder)),
            folder: loaded.folder.clone(),
            database: loaded.database(),
        };
        drivers::source(settings, &context).map_err(|error| StartError::Source {
            place: settings.place.clone(),
            id: settings.id.clone(),
            error,
        })
    };
    loaded.plant.sources.iter().map(source).collect()
}
