//! The demo: a simulated turbine behind a real Modbus TCP server on the loopback, and the plant that reads it.

use crate::{
    Options, Session, StartError,
    event::Listener,
    loaded::{LoadError, LoadedPlant},
};
use domain::PlantFile;
use simulator::{FunctionLog, LiveTurbine, ModbusTcpServer};
use std::path::PathBuf;

const TEMPLATE: &str = include_str!("demo.plant.toml");

/// What the demo is to be.
pub struct DemoOptions {
    /// The database; it is made anew unless it is the user's own.
    pub database: PathBuf,
    /// Seconds of the simulated turbine in one of ours.
    pub speed: f64,
    /// Which of the simulated turbines.
    pub seed: u64,
    /// Who wants to know what happens.
    pub listener: Option<Listener>,
}

/// A running demo: the engine, and the device it reads. On a database that another program records into: a viewer.
pub struct Demo {
    /// The engine, as on any plant.
    pub engine: Session,
    server: ModbusTcpServer,
}

impl Demo {
    /// Starts turbine, device and engine.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(options: DemoOptions) -> Result<Self, StartError> {
        let turbine = LiveTurbine::start(simulator::Options {
            seed: options.seed,
            speed: options.speed,
        })?
        .recording(function_log()?);
        let server = ModbusTcpServer::start(([127, 0, 0, 1], 0).into(), turbine)?;
        let text = TEMPLATE.replace("port = 502\n", &format!("port = {}\n", server.local_addr().port()));
        let plant = PlantFile::parse(
            &text,
            "demo.plant.toml",
            &|_| Err("the demo has no register map".into()),
        )
        .map_err(LoadError::Refused)?;
        let folder = options.database.parent().map(PathBuf::from).unwrap_or_default();
        let engine = Session::start(Options {
            plant: LoadedPlant {
                plant,
                folder,
                file: None,
                sha256: crate::loaded::sha256_hex(text.as_bytes()),
                maps: Vec::new(),
            },
            database: options.database,
            is_demo: true,
            listener: options.listener,
        })?;
        Ok(Self { engine, server })
    }

    /// Ends the engine first, then the device.
    ///
    /// # Errors
    /// [`store::StoreError`] when the last readings could not be written.
    pub fn stop(self) -> Result<crate::Summary, store::StoreError> {
        let summary = self.engine.stop();
        self.server.stop();
        summary
    }
}

/// Where the device records what it is asked for: the folder that the variable `TURBINE_NOX_FUNCTION_CODES` names.
///
/// # Errors
/// What the system says when it refuses the file.
pub fn function_log() -> std::io::Result<FunctionLog> {
    let folder = std::env::var_os("TURBINE_NOX_FUNCTION_CODES").filter(|folder| !folder.is_empty());
    FunctionLog::in_folder(folder.map(PathBuf::from).as_deref())
}

/// Databases of earlier demos that are kept.
const KEPT: usize = 5;

/// A database that does not exist yet, in the user's folder of demos; the oldest of more than a few are removed.
///
/// # Errors
/// When the folder cannot be made.
pub fn fresh_database() -> std::io::Result<PathBuf> {
    let folder = data_folder().join("turbine-nox").join("demo");
    std::fs::create_dir_all(&folder)?;
    remove_oldest(&folder);
    let now = drivers::now().format_in(&domain::time::Zone::utc(), "%Y%m%d-%H%M%S");
    Ok(folder.join(format!("demo-{now}-{}.sqlite", std::process::id())))
}

fn data_folder() -> PathBuf {
    let from = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let home = || from("HOME").map(|home| home.join(".local").join("share"));
    let own = if cfg!(windows) {
        from("LOCALAPPDATA")
    } else {
        from("XDG_DATA_HOME").or_else(home)
    };
    own.unwrap_or_else(std::env::temp_dir)
}

fn remove_oldest(folder: &std::path::Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let is_demo = |p: &PathBuf| p.extension().is_some_and(|e| e == "sqlite");
    let mut demos: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).filter(is_demo).collect();
    demos.sort(); // the names begin with the time
    for old in demos.iter().rev().skip(KEPT - 1) {
        if store::is_recording(old) {
            continue;
        }
        for suffix in ["", "-wal", "-shm", ".lock", ".reserve"] {
            let mut name = old.clone().into_os_string();
            name.push(suffix);
            let _ = std::fs::remove_file(name);
        }
    }
}
