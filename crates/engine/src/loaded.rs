//! A plant file from the disk, with everything it names beside it.

use domain::{
    PlantFile, Tag,
    plant::{ModelBinding, ModelFile, PlantError},
};
use std::path::{Path, PathBuf};

/// A plant file and the folder that its relative paths start from.
#[derive(Clone, Debug)]
pub struct LoadedPlant {
    /// What stands in it.
    pub plant: PlantFile,
    /// The folder of the file.
    pub folder: PathBuf,
    /// The file itself, where it is one.
    pub file: Option<PathBuf>,
}

/// Why a plant file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read the plant file {path}: {error}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// Something in it is wrong.
    #[error(transparent)]
    Refused(#[from] PlantError),
    /// A model it names cannot be used.
    #[error("{place}: model {file}: {message}")]
    Model {
        /// Line of the plant file.
        place: domain::plant::Place,
        /// The model file as it is named there.
        file: String,
        /// What is wrong with it.
        message: String,
    },
}

impl LoadedPlant {
    /// Reads and checks a plant file and the register maps beside it.
    ///
    /// # Errors
    /// [`LoadError`], which names file and line.
    pub fn read(path: &Path) -> Result<Self, LoadError> {
        Self::read_after(path, &[])
    }

    /// The same for a plant that runs: tags keep the numbers that they have in `earlier`.
    ///
    /// # Errors
    /// [`LoadError`], which names file and line.
    pub fn read_after(path: &Path, earlier: &[Tag]) -> Result<Self, LoadError> {
        let text = std::fs::read_to_string(path).map_err(|error| LoadError::Unreadable {
            path: path.to_owned(),
            error,
        })?;
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        let beside = |name: &str| std::fs::read_to_string(folder.join(name)).map_err(|e| e.to_string());
        let plant = PlantFile::parse_after(&text, &path.display().to_string(), &beside, earlier)?;
        let file = Some(path.to_owned());
        Ok(Self { plant, folder, file })
    }

    /// The database of the plant.
    pub fn database(&self) -> PathBuf {
        self.folder.join(&self.plant.store.path)
    }

    /// The bytes of a model that the plant names.
    pub(crate) fn model_bytes(&self, binding: &ModelBinding) -> Result<Vec<u8>, LoadError> {
        let error = |message| LoadError::Model {
            place: binding.place.clone(),
            file: model_name(&binding.file),
            message,
        };
        match &binding.file {
            ModelFile::Path(path) => std::fs::read(self.folder.join(path)).map_err(|e| error(e.to_string())),
            ModelFile::Pretrained(name) => models::pretrained(name).map(<[u8]>::to_vec).ok_or_else(|| {
                error("no model of this name comes with the program; expected pretrained:NOX or pretrained:CO".into())
            }),
        }
    }
}

/// A model file as the plant file names it.
pub(crate) fn model_name(file: &ModelFile) -> String {
    match file {
        ModelFile::Path(path) => path.clone(),
        ModelFile::Pretrained(name) => format!("pretrained:{name}"),
    }
}

/// SHA-256 as hexadecimal digits.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}
