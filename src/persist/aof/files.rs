//! The files of the append-only log: their folder, the manifest on disk, the file that is being written.
//!
//! Only the log's thread, and the start before it writes, call this. What is written here is in its place and on disk
//! when a function returns.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::Config;
use crate::persist::aof::file::LogFile;
use crate::persist::aof::manifest::{Manifest, ManifestError, Part};

/// See the file's head.
pub struct LogFiles {
    /// The folder, `appenddirname` below `dir`.
    pub folder: PathBuf,
    /// `appendfilename`.
    pub name: String,
    /// What the files are.
    pub manifest: Manifest,
    /// The file that is being written.
    pub file: Option<Arc<dyn LogFile>>,
    /// Its bytes.
    pub file_bytes: u64,
    /// That file is not in the manifest yet: its base is being written.
    pub is_waiting: bool,
}

/// Why the files could not be read.
pub enum FilesError {
    /// The system says so.
    Io(io::Error),
    /// The manifest is no manifest.
    Manifest(ManifestError),
}

impl From<io::Error> for FilesError {
    fn from(error: io::Error) -> FilesError {
        FilesError::Io(error)
    }
}

impl LogFiles {
    /// The files that the configuration names, as the manifest on disk knows them.
    pub fn find(config: &Config) -> Result<LogFiles, FilesError> {
        let folder = LogFiles::folder_of(config);
        let name = String::from_utf8_lossy(config.get_bytes(crate::param!("appendfilename"))).into_owned();
        let mut files =
            LogFiles { folder, name, manifest: Manifest::default(), file: None, file_bytes: 0, is_waiting: false };
        match fs::read(files.manifest_path()) {
            Ok(text) => files.manifest = Manifest::parse(&text).map_err(FilesError::Manifest)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                let path = files.manifest_path();
                tracing::warn!("Fatal error: can't open the AOF manifest file {} for reading: {error}", path.display());
                return Err(error.into());
            }
        }
        Ok(files)
    }

    /// `appenddirname` below `dir`.
    pub fn folder_of(config: &Config) -> PathBuf {
        config.directory().join(config.get_path(crate::param!("appenddirname")))
    }

    fn manifest_path(&self) -> PathBuf {
        self.folder.join([&self.name, ".manifest"].concat())
    }

    /// A file's place.
    pub fn path_of(&self, part: &Part) -> PathBuf {
        self.folder.join(std::ffi::OsStr::from_bytes(&part.name))
    }

    /// A log of one file, as old servers wrote it, moves into the folder and becomes the base.
    pub fn adopt_old_file(&mut self, directory: &Path) -> io::Result<()> {
        let old = directory.join(&self.name);
        let part = Part { name: self.name.clone().into_bytes(), sequence: 1 };
        let is_half_done = self.manifest.increments.is_empty()
            && self.manifest.base.as_ref() == Some(&part)
            && !self.path_of(&part).exists();
        if !old.is_file() || !(self.manifest.is_empty() || is_half_done) {
            return Ok(());
        }
        self.make_folder()?;
        let new = self.path_of(&part);
        self.manifest.base_sequence = 1;
        self.manifest.base = Some(part);
        self.store()?;
        fs::rename(&old, &new).inspect_err(|error| {
            let folder = self.folder.display();
            tracing::warn!("Error trying to move the old AOF file {} into dir {folder}: {error}", self.name);
        })?;
        sync_folder(&self.folder)?;
        tracing::info!(
            "Successfully migrated an old-style AOF file ({}) into the AOF directory ({}).",
            self.name,
            self.folder.file_name().unwrap_or_default().display()
        );
        Ok(())
    }

    /// Makes the folder, if it is missing.
    pub fn make_folder(&self) -> io::Result<()> {
        LogFiles::make_folder_at(&self.folder)
    }

    /// One file that stands for all, in the simulation.
    pub fn of_double(file: Arc<dyn LogFile>) -> LogFiles {
        let (folder, name, manifest) = (PathBuf::new(), String::new(), Manifest::default());
        LogFiles { folder, name, manifest, file: Some(file), file_bytes: 0, is_waiting: false }
    }

    /// As `make_folder`.
    pub fn make_folder_at(folder: &Path) -> io::Result<()> {
        match fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                tracing::warn!("Can't open or create append-only dir {}: {error}", folder.display());
                Err(error)
            }
            _ => Ok(()),
        }
    }

    /// Writes the manifest beside the old one, then in its place.
    pub fn store(&self) -> io::Result<()> {
        let path = self.manifest_path();
        let name = [&self.name, ".manifest"].concat();
        let temporary = self.folder.join(["temp-", &name].concat());
        let write = || {
            let mut file = File::create(&temporary)?;
            file.write_all(&self.manifest.format())?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            sync_folder(&self.folder)
        };
        write().inspect_err(|error| tracing::warn!("Can't write the AOF manifest file {name}: {error}"))
    }

    /// Opens the last incremental file, or a first one, for writing behind what is there. Says whether it is new.
    pub fn open_last(&mut self) -> io::Result<bool> {
        let is_new = self.manifest.increments.is_empty();
        let part = match self.manifest.increments.last() {
            Some(part) => part.clone(),
            None => self.manifest.add_increment(&self.name),
        };
        self.open(&part, false)?;
        self.store()?;
        Ok(is_new)
    }

    /// Where a new base is written before it gets its name.
    pub fn base_path(folder: &Path) -> PathBuf {
        folder.join(["temp-rewriteaof-bg-", &std::process::id().to_string(), ".aof"].concat())
    }

    /// Begins a file that the manifest does not name before there is a base for it.
    pub fn open_waiting(&mut self) -> io::Result<()> {
        self.make_folder()?;
        let part = self.waiting_part();
        self.open(&part, true)?;
        self.is_waiting = true;
        Ok(())
    }

    fn waiting_part(&self) -> Part {
        Part { name: ["temp-", &self.name, ".incr"].concat().into_bytes(), sequence: 0 }
    }

    /// A base that was written at `path` gets its name and its place in the manifest; what it replaces is history.
    pub fn take_base(&mut self, path: &Path) -> io::Result<()> {
        let mut next = self.manifest.clone();
        let mut magic = [0; 5];
        let is_snapshot = File::open(path)?.read_exact(&mut magic).is_ok() && &magic == b"REDIS";
        let base = next.next_base(&self.name, if is_snapshot { "rdb" } else { "aof" });
        let base_path = self.path_of(&base);
        fs::rename(path, &base_path)?;
        if self.is_waiting {
            let part = next.add_increment(&self.name);
            fs::rename(self.path_of(&self.waiting_part()), self.path_of(&part))?;
        }
        next.set_base(base, usize::from(self.file.is_some()));
        let before = std::mem::replace(&mut self.manifest, next);
        let stored = self.store();
        if stored.is_err() {
            self.manifest = before;
            let _ = fs::remove_file(&base_path);
        } else {
            self.is_waiting = false;
        }
        stored
    }

    /// The base that was waited for does not come.
    pub fn drop_waiting(&mut self) {
        if std::mem::take(&mut self.is_waiting) {
            let _ = fs::remove_file(self.path_of(&self.waiting_part()));
            self.file = None;
        }
    }

    /// Begins a new incremental file. The old one is complete and on disk.
    pub fn open_next(&mut self) -> io::Result<()> {
        let before = self.manifest.clone();
        let part = self.manifest.add_increment(&self.name);
        let file = self.file.take();
        let result = self.open(&part, true).and_then(|()| self.store());
        if result.is_err() {
            self.manifest = before;
            self.file = file;
        } else {
            tracing::info!("Creating AOF incr file {} on background rewrite", part_name(&part));
        }
        result
    }

    fn open(&mut self, part: &Part, anew: bool) -> io::Result<()> {
        let file = OpenOptions::new().append(true).create(true).open(self.path_of(part)).inspect_err(|error| {
            tracing::warn!("Can't open the append-only file {}: {error}", part_name(part));
        })?;
        if anew {
            // Left over from a rewrite that did not come to its end.
            file.set_len(0)?;
        }
        self.file_bytes = file.metadata()?.len();
        self.file = Some(Arc::new(file));
        Ok(())
    }

    /// Deletes what is history.
    pub fn delete_history(&mut self) -> io::Result<()> {
        if self.manifest.history.is_empty() {
            return Ok(());
        }
        for part in std::mem::take(&mut self.manifest.history) {
            tracing::info!("Removing the history file {} in the background", part_name(&part));
            let _ = fs::remove_file(self.path_of(&part));
        }
        self.store()
    }

    /// Bytes of all files that hold data.
    pub fn bytes(&self) -> u64 {
        let len = |part| fs::metadata(self.path_of(part)).map_or(0, |metadata| metadata.len());
        self.manifest.data().map(len).sum()
    }
}

/// A file's name for the log.
pub fn part_name(part: &Part) -> String {
    String::from_utf8_lossy(&part.name).into_owned()
}

/// What was created or renamed in a folder is on disk.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
