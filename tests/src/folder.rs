//! A temporary folder with migrations for one test.

use migrate_model::dialect::Dialect;
use migrate_model::files::folder::Folder;
use migrate_model::files::project::Project;
use migrate_model::finding::Finding;
use migrate_model::migration_set::MigrationSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// A temporary package folder with a folder `migrations/`, deleted on drop.
#[derive(Debug)]
pub struct TestFolder {
    folder: TempDir,
}

impl Default for TestFolder {
    fn default() -> Self {
        TestFolder { folder: TempDir::new().expect("a temporary folder") }
    }
}

impl TestFolder {
    /// Creates the folder with files, given by their path inside `migrations/`.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let folder = TestFolder::default();
        files.iter().for_each(|(name, text)| folder.write(&format!("migrations/{name}"), text));
        folder
    }

    /// The path of the package folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file, by its path inside the package.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    /// Removes a file, by its path inside the package.
    pub fn remove(&self, name: &str) {
        fs::remove_file(self.path().join(name)).expect("a file to remove");
    }

    /// The text of a file, by its path inside the package.
    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).expect("a file to read")
    }

    /// Reads the folder as the package `app`.
    pub fn read(&self, dialect: Dialect) -> Folder {
        let (project, findings) = Project::of_package(self.path(), None, "app", &[]);
        assert_eq!(findings, []);
        project.read(dialect)
    }

    /// The migrations of the folder, which must be free of errors.
    pub fn set(&self, dialect: Dialect) -> Arc<MigrationSet> {
        let folder = self.read(dialect);
        let errors: Vec<&Finding> = folder.findings.iter().filter(|finding| finding.is_error()).collect();
        assert!(errors.is_empty(), "{errors:#?}");
        Arc::new(folder.set)
    }
}
