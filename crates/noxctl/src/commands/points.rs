//! `points`: register maps.

use super::transfer::write_whole;
use crate::{
    cli::PointsExportArgs,
    failure::{Failure, Result},
    output,
};
use domain::plant::{SourceKind, register_map};
use engine::LoadedPlant;
use std::{io::Write, process::ExitCode};

pub fn export(args: &PointsExportArgs) -> Result<ExitCode> {
    let plant = LoadedPlant::read(&args.config)?.plant;
    let known: Vec<&str> = plant.sources.iter().map(|s| s.id.as_str()).collect();
    let source = plant.sources.iter().find(|s| s.id == args.source).ok_or_else(|| {
        Failure::input(format!(
            "{}: no source {:?}; its sources are {}",
            args.config.display(),
            args.source,
            known.join(", ")
        ))
    })?;
    let SourceKind::Modbus(modbus) = &source.kind else {
        return Err(Failure::input(format!(
            "{}: source {:?} is of kind {}; register maps are of Modbus sources",
            source.place,
            source.id,
            source.kind_name()
        )));
    };
    let map = register_map(&modbus.points, &plant.tags);
    match &args.out {
        None => output::line(map.trim_end())?,
        Some(path) => {
            write_whole(path, |file| file.write_all(map.as_bytes()).map_err(Failure::work))?;
            output::note(&format!("{} points in {}", modbus.points.len(), path.display()));
        }
    }
    Ok(ExitCode::SUCCESS)
}
