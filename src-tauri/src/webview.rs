//! The window in the system's webview.

use crate::args::Args;
use anyhow::{Result, anyhow};
use engine::ViewPort;
use tauri::{
    RunEvent, State, WebviewUrl, WebviewWindowBuilder,
    ipc::{InvokeBody, Request, Response},
};
use ui::Theme;

/// Answers a frame of the interface with a frame, as raw bytes.
#[tauri::command(async)]
fn view(request: Request<'_>, port: State<'_, ViewPort>) -> Result<Response, String> {
    let InvokeBody::Raw(frame) = request.body() else {
        return Err("expected raw bytes".into());
    };
    Ok(Response::new(port.answer_frame(frame)))
}

/// Opens the window and returns when it is closed.
pub fn run(port: ViewPort, args: &Args) -> Result<()> {
    let settings = args.settings();
    let theme = match settings.theme {
        Theme::System => "system",
        Theme::Light => "light",
        Theme::Dark => "dark",
    };
    let address = format!("index.html?lang={}&theme={theme}", settings.language.code());
    let app = tauri::Builder::default()
        .manage(port)
        .invoke_handler(tauri::generate_handler![view])
        .setup(move |app| {
            WebviewWindowBuilder::new(app, "main", WebviewUrl::App(address.into()))
                .title("TurbineNOxAnalyzer")
                .inner_size(1280.0, 800.0)
                .min_inner_size(1000.0, 620.0)
                .build()?;
            Ok(())
        })
        .build(tauri::generate_context!())
        .map_err(|e| anyhow!("the system gives no webview ({e}); try --native"))?;
    app.run_return(|_, event| {
        if let RunEvent::Ready = event {
            tracing::info!("the window is open");
        }
    });
    Ok(())
}

/// The switches of WebKitGTK that some graphics cards need: the first for blank windows with NVIDIA's own driver, both where that is not enough.
#[cfg(target_os = "linux")]
const SWITCHES: [&str; 2] = ["WEBKIT_DISABLE_DMABUF_RENDERER", "WEBKIT_DISABLE_COMPOSITING_MODE"];

/// Runs the program anew with the switches set: they have to be there before any thread starts. Returns where none is needed.
///
/// # Errors
/// When the system does not run the program anew.
#[cfg(target_os = "linux")]
pub fn restart_where_needed(args: &Args) -> Result<()> {
    use std::{os::unix::process::CommandExt, path::Path, process::Command};
    let wanted = match (args.native, args.safe_rendering) {
        (true, _) => 0,
        (_, true) => SWITCHES.len(),
        _ => usize::from(Path::new("/proc/driver/nvidia/version").exists()),
    };
    let mut unset = SWITCHES[..wanted]
        .iter()
        .filter(|s| std::env::var_os(s).is_none())
        .peekable();
    if unset.peek().is_none() {
        return Ok(());
    }
    let error = Command::new(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .envs(unset.map(|s| (s, "1")))
        .exec();
    Err(error.into())
}

/// No other system's webview needs it.
///
/// # Errors
/// None.
#[cfg(not(target_os = "linux"))]
pub fn restart_where_needed(_args: &Args) -> Result<()> {
    Ok(())
}
