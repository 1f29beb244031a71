//! `model promote` and `model rollback`: another model in force, with name and reason.

use crate::{
    cli::{PromoteArgs, RollbackArgs},
    commands::transfer::write_whole,
    failure::{Failure, Result},
    output,
};
use engine::{
    LoadedPlant,
    promotion::{self, Promotion, PromotionError, Wish},
};
use serde_json::json;
use std::{io::Write, path::Path, process::ExitCode};
use store::Reader;

pub fn promote(args: &PromoteArgs) -> Result<ExitCode> {
    let (loaded, text) = read(&args.config)?;
    let wish = Wish {
        target: &args.target,
        by: &args.person.name,
        why: &args.person.reason,
    };
    let file = args.file.as_deref().map(|file| promotion::named_by(&loaded, file));
    let file = file.transpose().map_err(Failure::work)?;
    let promotion = promotion::promote(&loaded, &text, wish, file).map_err(refused)?;
    put_in_force(&args.config, &loaded, &args.target, &promotion, args.json)
}

pub fn roll_back(args: &RollbackArgs) -> Result<ExitCode> {
    let (loaded, text) = read(&args.config)?;
    let wish = Wish {
        target: &args.target,
        by: &args.person.name,
        why: &args.person.reason,
    };
    let mut records = Reader::open(loaded.database())?.audit(None, None)?;
    records.retain(|r| r.kind == engine::audit::MODEL_KIND);
    let promotion = promotion::roll_back(&loaded, &text, wish, &records).map_err(refused)?;
    put_in_force(&args.config, &loaded, &args.target, &promotion, args.json)
}

fn read(config: &Path) -> Result<(LoadedPlant, String)> {
    let loaded = LoadedPlant::read(config)?;
    let text = std::fs::read_to_string(config)
        .map_err(|e| Failure::input(format!("cannot read the plant file {}: {e}", config.display())))?;
    Ok((loaded, text))
}

fn refused(error: PromotionError) -> Failure {
    Failure::input(error)
}

fn put_in_force(
    config: &Path,
    loaded: &LoadedPlant,
    target: &str,
    promotion: &Promotion,
    as_json: bool,
) -> Result<ExitCode> {
    write_whole(config, |file| {
        file.write_all(promotion.text.as_bytes()).map_err(Failure::work)
    })?;
    let is_running = store::recorder(&loaded.database()).is_some();
    if as_json {
        output::json(&json!({
            "target": target,
            "file": promotion.file,
            "sha256": promotion.sha256,
            "shadow": promotion.shadow,
            "running": is_running,
        }))?;
    } else {
        let when = if is_running {
            "the running program takes it up within seconds"
        } else {
            "in force from the next start"
        };
        output::line(&format!(
            "{target}: {} (SHA-256 {}), {} beside it as its shadow; {when}",
            promotion.file, promotion.sha256, promotion.shadow
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
