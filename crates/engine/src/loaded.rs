//! A plant file from the disk, with everything it names beside it.

use crate::secrets;
use domain::{
    PlantFile, Tag,
    plant::{ModelFile, Place, PlantError},
};
use std::{
    cell::RefCell,
    path::{Path, PathBuf},
};

/// A plant file and the folder that its relative paths start from.
#[derive(Clone, Debug)]
pub struct LoadedPlant {
    /// What stands in it.
    pub plant: PlantFile,
    /// The folder of the file.
    pub folder: PathBuf,
    /// The file itself, where it is one.
    pub file: Option<PathBuf>,
    /// SHA-256 of its text, in hexadecimal.
    pub sha256: String,
    /// The register maps it names, each with the SHA-256 of its text.
    pub maps: Vec<(String, String)>,
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
        place: Place,
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
        Self::parse_after(path, &text_of(path)?, earlier)
    }

    /// The same for a text that was read already.
    ///
    /// # Errors
    /// [`LoadError`], which names file and line.
    pub fn parse_after(path: &Path, text: &str, earlier: &[Tag]) -> Result<Self, LoadError> {
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        let maps = RefCell::new(Vec::new());
        let beside = |name: &str| {
            let text = std::fs::read_to_string(folder.join(name)).map_err(|e| e.to_string())?;
            maps.borrow_mut().push((name.to_owned(), sha256_hex(text.as_bytes())));
            Ok(text)
        };
        let plant = PlantFile::parse_after(text, &path.display().to_string(), &beside, earlier)?;
        if let Some(postgres) = plant.postgres.as_ref().filter(|p| secrets::is_in_url(&p.url)) {
            let elsewhere = if postgres.password.is_some() {
                "leave it out there"
            } else {
                "put it where `password = \"keyring:NAME\"` (or env:NAME, file:PATH) finds it"
            };
            tracing::warn!(
                "{}: [export.postgres]: `url` contains a password, which everybody who reads the plant file knows; {elsewhere}",
                path.display()
            );
        }
        Ok(Self {
            plant,
            folder,
            file: Some(path.to_owned()),
            sha256: sha256_hex(text.as_bytes()),
            maps: maps.into_inner(),
        })
    }

    /// `; map.csv SHA-256 …` for each register map: the plant file's own hash does not cover them.
    pub(crate) fn maps_shown(&self) -> String {
        self.maps
            .iter()
            .map(|(name, sha256)| format!("; {name} SHA-256 {sha256}"))
            .collect()
    }

    /// The database of the plant.
    pub fn database(&self) -> PathBuf {
        self.folder.join(&self.plant.store.path)
    }

    /// The bytes of a model that stands in this line of the plant file.
    pub(crate) fn model_bytes(&self, file: &ModelFile, place: &Place) -> Result<Vec<u8>, LoadError> {
        let error = |message| LoadError::Model {
            place: place.clone(),
            file: model_name(file),
            message,
        };
        match file {
            ModelFile::Path(path) => std::fs::read(self.folder.join(path)).map_err(|e| error(e.to_string())),
            ModelFile::Pretrained(name) => models::pretrained(name).map(<[u8]>::to_vec).ok_or_else(|| {
                error("no model of this name comes with the program; expected pretrained:NOX or pretrained:CO".into())
            }),
        }
    }
}

/// The text of a plant file.
///
/// # Errors
/// [`LoadError::Unreadable`].
pub(crate) fn text_of(path: &Path) -> Result<String, LoadError> {
    std::fs::read_to_string(path).map_err(|error| LoadError::Unreadable {
        path: path.to_owned(),
        error,
    })
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
