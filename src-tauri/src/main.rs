//! The desktop program. Acquisition, storage and prediction run in the engine and do not know whether a window is open.

#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

mod args;
mod running;
mod webview;

use anyhow::Result;
use clap::Parser;
use std::{
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};
use ui::native::InProcess;

fn main() -> ExitCode {
    engine::logging::start("warn");
    match run(args::Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: args::Args) -> Result<()> {
    webview::restart_where_needed(&args)?;
    let running = running::Running::start(&args)?;
    let view = running.view();
    let running = Arc::new(Mutex::new(Some(running)));
    end_on_signal(running.clone())?;
    let shown = if args.native {
        let link = InProcess::start(move |request| view.answer(request))?;
        ui::native::run(link, args.settings(), icon()).map_err(|e| anyhow::anyhow!("no window: {e}"))
    } else {
        webview::run(view, &args)
    };
    // whatever became of the window: what was read is committed
    stop(&running)?;
    shown
}

/// Ends what runs, once.
fn stop(running: &Mutex<Option<running::Running>>) -> Result<()> {
    let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
    running.take().map_or(Ok(()), running::Running::stop)
}

/// Ctrl-C and SIGTERM end the program with everything committed, whatever the window is doing.
fn end_on_signal(running: Arc<Mutex<Option<running::Running>>>) -> Result<()> {
    ctrlc::set_handler(move || {
        let code = match stop(&running) {
            Ok(()) => 0,
            Err(error) => {
                tracing::error!("{error:#}");
                1
            }
        };
        std::process::exit(code);
    })?;
    Ok(())
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
