//! `ui-bindgen WASM OUT`: makes the folder that the desktop program shows from the interface compiled to wasm.

use anyhow::{Context, Result};
use std::path::PathBuf;
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<()> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let (wasm, out) = args.next().zip(args.next()).context("usage: ui-bindgen WASM OUT")?;
    if out.exists() {
        std::fs::remove_dir_all(&out)?;
    }
    std::fs::create_dir_all(&out)?;
    Bindgen::new()
        .input_path(&wasm)
        .web(true)?
        .omit_default_module_path(false)
        .typescript(false)
        .generate(&out)?;
    std::fs::write(out.join("index.html"), include_str!("../../index.html"))?;
    std::fs::write(out.join("start.js"), include_str!("../../start.js"))?;
    Ok(())
}
