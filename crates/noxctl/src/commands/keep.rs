//! `backup`, `restore` and `secret …`.

use super::audit::head_json;
use crate::{
    cli::{BackupArgs, RestoreArgs, SecretArgs, SecretCommand},
    failure::{Failure, Result},
    output::{self, Progress},
};
use engine::secrets::{self, KeyringError};
use serde_json::{Value, json};
use std::{
    io::{IsTerminal as _, Read as _},
    process::ExitCode,
};
use store::backup::{self, Copied};

pub fn backup(args: &BackupArgs) -> Result<ExitCode> {
    let progress = Progress::new("MB written");
    let copied = backup::backup(&args.db, &args.out, args.force, |bytes| {
        progress.done(bytes / 1_000_000)
    })?;
    let out = std::path::absolute(&args.out).map_err(Failure::work)?;
    if args.json {
        let mut answer = copied_json(&copied);
        answer["out"] = json!(out);
        output::json(&answer)?;
    } else {
        output::note(&format!("{}\n{}", out.display(), shown(&copied)));
    }
    Ok(ExitCode::SUCCESS)
}

pub fn restore(args: &RestoreArgs) -> Result<ExitCode> {
    let by = engine::audit::person(
        args.name.as_deref().unwrap_or_default(),
        args.reason.as_deref().unwrap_or_default(),
    );
    let progress = Progress::new("MB written");
    let restored = backup::restore(&args.from, &args.to, engine::now(), &by, |bytes| {
        progress.done(bytes / 1_000_000);
    })?;
    let to = std::path::absolute(&args.to).map_err(Failure::work)?;
    if args.json {
        output::json(&json!({
            "database": to, "kept": restored.kept, "backup": copied_json(&restored.backup),
            "audit": head_json(&restored.audit), "seq_floor": restored.seq_floor,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    output::note(&format!(
        "restored {}\n{}\naudit trail now: {} records, head {}",
        to.display(),
        shown(&restored.backup),
        restored.audit.records,
        restored.audit.hash
    ));
    if let Some(kept) = &restored.kept {
        output::note(&format!("what was there is {}", kept.display()));
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(copied: &Copied) -> String {
    let audit = copied.audit.as_ref().map_or_else(
        || "no audit trail".to_owned(),
        |head| format!("audit trail: {} records, head {}", head.records, head.hash),
    );
    format!(
        "{} readings, {} predictions, last seq {}, {} bytes, checked\nSHA-256 {}\n{audit}",
        copied.counts.readings, copied.counts.predictions, copied.last_seq, copied.size, copied.sha256
    )
}

fn copied_json(copied: &Copied) -> Value {
    json!({
        "last_seq": copied.last_seq, "readings": copied.counts.readings, "predictions": copied.counts.predictions,
        "bytes": copied.size, "sha256": copied.sha256, "audit": copied.audit.as_ref().map(head_json),
    })
}

pub fn secret(command: &SecretCommand) -> Result<ExitCode> {
    let (args, what) = match command {
        SecretCommand::Set(args) => {
            let secret = typed(&args.name)?;
            secrets::set(&args.name, secret.clone()).map_err(Failure::work)?;
            if secrets::get(&args.name).map_err(Failure::work)? != secret {
                return Err(Failure::work("the keyring gives back something else than it was given"));
            }
            (args, "stored")
        }
        SecretCommand::Test(args) => {
            secrets::get(&args.name).map_err(Failure::work)?;
            (args, "found")
        }
        SecretCommand::Remove(args) => {
            secrets::remove(&args.name).map_err(|error| match error {
                error @ KeyringError::Missing(_) => Failure::input(error),
                error => Failure::work(error),
            })?;
            (args, "removed")
        }
    };
    told(args, what)
}

fn told(args: &SecretArgs, what: &str) -> Result<ExitCode> {
    if args.json {
        output::json(&json!({"name": args.name, "state": what}))?;
    } else {
        output::note(&format!("keyring:{} {what}", args.name));
    }
    Ok(ExitCode::SUCCESS)
}

/// From the terminal twice, without echo; else all of stdin. Never from an argument: everybody on the machine reads those.
fn typed(name: &str) -> Result<String> {
    let secret = if std::io::stdin().is_terminal() {
        let ask = |what: &str| rpassword::prompt_password(format!("{what} {name}: ")).map_err(Failure::work);
        let first = ask("Secret")?;
        if ask("Once more")? != first {
            return Err(Failure::input("the two are not the same; nothing was changed"));
        }
        first
    } else {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(Failure::input)?;
        text.trim_end_matches(['\r', '\n']).to_owned()
    };
    if secret.is_empty() {
        return Err(Failure::input("the secret is empty; nothing was changed"));
    }
    Ok(secret)
}
