//! What the measurements share: programs timed in turns, folders of migrations, and a table of the figures.

use migrate_tests::Kind;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// The workspace.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// The command, built for release.
///
/// # Panics
/// When it does not build.
pub fn command() -> PathBuf {
    run(Command::new(env!("CARGO")).args(["build", "--release", "--quiet", "-p", "cargo-migrate"]).current_dir(workspace()));
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    target.join("release/cargo-migrate")
}

/// Writes the lock file of a folder, all of it drafts.
pub fn lock(binary: &Path, folder: &Path) {
    run(Command::new(binary).arg("--source").arg(folder).args(["--dialect", "postgres", "lock", "--draft"]));
}

/// Runs a program to its end, and gives how long that took.
///
/// # Panics
/// When it fails.
pub fn run(command: &mut Command) -> Duration {
    let begun = Instant::now();
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let elapsed = begun.elapsed();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    elapsed
}

/// The figures of one contestant.
#[derive(Debug)]
pub struct Figures {
    /// Who.
    pub name: String,
    times: Vec<Duration>,
}

impl Figures {
    /// The one in the middle.
    pub fn median(&self) -> Duration {
        let mut times = self.times.clone();
        times.sort();
        times[times.len() / 2]
    }
}

/// One contestant: a name, and what is timed; it gives the time, so that its preparation does not count.
pub type Contestant<'a> = (&'a str, Box<dyn FnMut() -> Duration + 'a>);

/// Times all contestants in turns, so that what else the machine does hits each of them alike.
pub fn in_turns(rounds: usize, mut contestants: Vec<Contestant<'_>>) -> Vec<Figures> {
    let mut figures: Vec<Figures> =
        contestants.iter().map(|(name, _)| Figures { name: (*name).to_owned(), times: Vec::new() }).collect();
    for _ in 0..rounds {
        for (index, (_, time)) in contestants.iter_mut().enumerate() {
            figures[index].times.push(time());
        }
    }
    figures
}

/// Prints the figures, the last contestant being what the others are compared with.
pub fn print(title: &str, figures: &[Figures]) {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY).set_header([title, "median ms", "min", "max", "ratio"]);
    let base = figures.last().map_or(Duration::ZERO, Figures::median).as_secs_f64();
    for one in figures {
        let (min, max) = (one.times.iter().min(), one.times.iter().max());
        let shown = |time: Option<&Duration>| time.map_or_else(String::new, |time| format!("{:.1}", time.as_secs_f64() * 1e3));
        let ratio = one.median().as_secs_f64() / base;
        table.add_row([one.name.clone(), shown(Some(&one.median())), shown(min), shown(max), format!("{ratio:.2}")]);
    }
    println!("{table}\n");
}

/// Writes so many files, each with a table, an index and a row, as `NNNN_x.up.sql` with its `.down.sql` or, for peers that
/// read one file a version, as `NNNN_x.sql`.
///
/// # Panics
/// When the disk is full.
pub fn write_migrations(folder: &Path, count: usize, paired: bool) {
    fs::create_dir_all(folder).expect("a folder");
    for number in 1..=count {
        let up = migration(number);
        if paired {
            fs::write(folder.join(format!("{number:05}_t.up.sql")), up).expect("a file");
            fs::write(folder.join(format!("{number:05}_t.down.sql")), format!("DROP TABLE t{number};\n")).expect("a file");
        } else {
            fs::write(folder.join(format!("{number:05}_t.sql")), up).expect("a file");
        }
    }
}

/// The SQL of one migration; all three databases take it.
pub fn migration(number: usize) -> String {
    let mut sql = String::new();
    let _ = writeln!(sql, "-- Table {number}, with an index and a first row.");
    let _ = writeln!(
        sql,
        "CREATE TABLE t{number} (\n    id bigint PRIMARY KEY,\n    name varchar(100) NOT NULL,\n    made timestamp\n);"
    );
    let _ = writeln!(sql, "CREATE INDEX t{number}_name ON t{number} (name);");
    let _ = writeln!(sql, "INSERT INTO t{number} (id, name) VALUES (1, 'it''s first; really');");
    sql
}

/// The database's own client.
pub fn client_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Postgres => "psql",
        Kind::MariaDb => "mariadb",
        Kind::Sqlite => "sqlite3",
    }
}

/// The database's own client, as it is begun for a database.
///
/// # Panics
/// When the URL is none.
pub fn client(kind: Kind, url: &str) -> Command {
    let mut command = Command::new(client_name(kind));
    match kind {
        Kind::Postgres => command.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", url]),
        Kind::MariaDb => {
            let url = url::Url::parse(url).expect("a URL");
            command.args(["--no-defaults", "--protocol=tcp", "-h", url.host_str().unwrap_or_default()]);
            command.args(["-u", url.username(), &format!("-p{}", url.password().unwrap_or_default())]);
            command.args(["-P", &url.port().unwrap_or(3306).to_string(), url.path().trim_start_matches('/')])
        }
        Kind::Sqlite => command.arg("-bail").arg(Path::new(url.trim_start_matches("sqlite:"))),
    };
    command
}
