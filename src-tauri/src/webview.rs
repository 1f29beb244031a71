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

/// The switch of WebKitGTK that blank windows need on some graphics cards.
const DMABUF: &str = "WEBKIT_DISABLE_DMABUF_RENDERER";

/// With `--safe-rendering`: runs the program once more with WebKit's switch set, which has to be there before any thread starts.
/// None: go on in this process.
pub fn restarted(args: &Args) -> Result<Option<bool>> {
    if !args.safe_rendering || args.native || std::env::var_os(DMABUF).is_some() {
        return Ok(None);
    }
    let status = std::process::Command::new(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .env(DMABUF, "1")
        .env("WEBKIT_DISABLE_COMPOSITING_MODE", "1")
        .status()?;
    Ok(Some(status.success()))
}
