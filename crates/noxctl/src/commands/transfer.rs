//! `export postgres`, `export refused`, and writing files whole.

use crate::{
    cli::{ExportPostgresArgs, ExportRefusedArgs},
    failure::{Failure, Result},
    output::{self, Progress},
};
use engine::export::postgres::{PostgresError, RefusedFile, Target};
use serde_json::json;
use std::{path::Path, process::ExitCode};
use store::Reader;

pub fn export_postgres(args: &ExportPostgresArgs) -> Result<ExitCode> {
    if args.print_schema {
        output::line(&engine::export::postgres::script(args.timescale))?;
        return Ok(ExitCode::SUCCESS);
    }
    let (Some(db), Some(url)) = (&args.db, &args.url) else {
        return Err(Failure::input("--db and --url are needed"));
    };
    let password = args
        .password
        .as_ref()
        .map(|r| engine::export::secret(r, Path::new(".")))
        .transpose();
    let target = Target::new(url, password.map_err(Failure::input)?.as_deref()).map_err(Failure::input)?;
    if engine::secrets::is_in_url(url) {
        output::note("warning: --url contains a password, which everybody on this machine can read; use --password");
    }
    let progress = Progress::new("readings sent");
    let exported = engine::export::postgres::export(db, &target, args.sys, |done| progress.done(done.readings));
    let exported = exported.map_err(|e| match e {
        PostgresError::Store(e) => e.into(),
        e => Failure::work(e),
    })?;
    if args.json {
        output::json(
            &json!({"readings": exported.readings, "inserted": exported.inserted, "refused": exported.refused}),
        )?;
    } else {
        output::note(&format!(
            "{} readings sent, {} were new",
            exported.readings, exported.inserted
        ));
    }
    if exported.refused > 0 {
        output::note(&format!(
            "{} readings are refused by PostgreSQL; `noxctl export refused --db {}` lists them",
            exported.refused,
            db.display()
        ));
    }
    Ok(ExitCode::SUCCESS)
}

pub fn export_refused(args: &ExportRefusedArgs) -> Result<ExitCode> {
    Reader::open(&args.db)?;
    let file = RefusedFile::of(&args.db);
    let refused = file
        .read()
        .map_err(|e| Failure::work(format!("cannot read {}: {e}", file.path().display())))?;
    if args.json {
        output::json(&json!({"refused": refused}))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut lines = String::new();
    for row in &refused {
        let value = row.v.as_deref().unwrap_or("no value");
        lines += &format!(
            "{}  {}  {value}  seq {}  {}  {} {}\n",
            row.t, row.tag, row.seq, row.server, row.code, row.message
        );
    }
    output::line(&lines)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a file beside its place and moves it there when it is whole: an interrupted command leaves no half file.
pub fn write_whole<T>(path: &Path, write: impl FnOnce(&mut std::fs::File) -> Result<T>) -> Result<T> {
    let failed = |e: &dyn std::fmt::Display| Failure::work(format!("cannot write {}: {e}", path.display()));
    let folder = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|e| failed(&e))?;
    let result = write(file.as_file_mut())?;
    file.as_file().sync_all().map_err(|e| failed(&e))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // a temporary file is private; a result has the rights of any file the user makes
        let rights = std::fs::Permissions::from_mode(0o644);
        file.as_file().set_permissions(rights).map_err(|e| failed(&e))?;
    }
    file.persist(path).map_err(|e| failed(&e))?;
    Ok(result)
}
