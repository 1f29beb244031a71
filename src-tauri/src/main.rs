//! The desktop program. Acquisition, storage and prediction run in the engine and do not know whether a window is open.

#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

mod args;
mod running;
mod webview;

use anyhow::Result;
use clap::Parser;
use std::process::ExitCode;
use ui::native::InProcess;

fn main() -> ExitCode {
    start_logging();
    match run(args::Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: args::Args) -> Result<()> {
    if let Some(is_well) = webview::restarted(&args)? {
        anyhow::ensure!(is_well, "the program ended with an error");
        return Ok(());
    }
    let running = running::Running::start(&args)?;
    let view = running.view();
    let shown = if args.native {
        let link = InProcess::start(move |request| view.answer(request))?;
        ui::native::run(link, args.settings(), icon()).map_err(|e| anyhow::anyhow!("no window: {e}"))
    } else {
        webview::run(view, &args)
    };
    // whatever became of the window: what was read is committed
    running.stop()?;
    shown
}

fn start_logging() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .init();
}

/// The window's icon; a window without one is a window all the same.
fn icon() -> Option<ui::IconData> {
    let mut reader = png::Decoder::new(std::io::Cursor::new(include_bytes!("../../icons/128x128.png")))
        .read_info()
        .ok()?;
    let mut rgba = vec![0; reader.output_buffer_size()?];
    let info = reader.next_frame(&mut rgba).ok()?;
    Some(ui::IconData {
        rgba,
        width: info.width,
        height: info.height,
    })
}
