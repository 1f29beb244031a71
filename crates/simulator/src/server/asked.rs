//! What the device was asked for: the function code of every request, one a line of a file. So a test suite can show
//! that nothing but reads was sent.

use std::fs::{File, OpenOptions, create_dir_all};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

/// Appends function codes to a file; does nothing without one. Clones share it.
#[derive(Clone, Default)]
pub struct FunctionLog(Option<Arc<File>>);

impl FunctionLog {
    /// A file of this process in the folder; nothing is recorded without a folder.
    ///
    /// # Errors
    /// What the system says when it refuses the file.
    pub fn in_folder(folder: Option<&Path>) -> io::Result<Self> {
        let Some(folder) = folder else {
            return Ok(Self(None));
        };
        create_dir_all(folder)?;
        let path = folder.join(format!("simulator-{}", std::process::id()));
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self(Some(Arc::new(file))))
    }

    /// A request came (function code and data).
    pub(super) fn asked(&self, pdu: &[u8]) {
        if let (Some(file), Some(function)) = (&self.0, pdu.first()) {
            // one write a line: processes that append to one file do not mix within it
            if let Err(error) = (&**file).write_all(format!("{function}\n").as_bytes()) {
                tracing::warn!(%error, "function code not recorded");
            }
        }
    }
}
