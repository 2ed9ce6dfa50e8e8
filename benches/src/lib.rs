//! Shared parts of the benchmarks: alternating runs of programs, folders of migrations, and a table of the times.

pub mod peers;

use migrate_tests::Kind;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// The root folder of the workspace.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// Builds `cargo-migrate` in release mode and returns its path.
///
/// # Panics
/// If the build fails.
pub fn command() -> PathBuf {
    run(Command::new(env!("CARGO")).args(["build", "--release", "--quiet", "-p", "cargo-migrate"]).current_dir(workspace()));
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    target.join("release/cargo-migrate")
}

/// The binaries to measure, with the name that the tables give each: this one, and, if `MIGRATE_BENCH_BASELINE` names another
/// binary of `cargo-migrate`, that one.
///
/// # Panics
/// If the build fails.
pub fn commands() -> Vec<(&'static str, PathBuf)> {
    let baseline = std::env::var_os("MIGRATE_BENCH_BASELINE").map(|path| ("baseline", PathBuf::from(path)));
    std::iter::once(("cargo migrate", command())).chain(baseline).collect()
}

/// Writes a lock file that lists all migrations of a folder as drafts.
pub fn lock(binary: &Path, folder: &Path) {
    run(Command::new(binary).arg("--source").arg(folder).args(["--dialect", "postgres", "lock", "--draft"]));
}

/// Runs a program and returns its duration.
///
/// # Panics
/// If the program fails.
pub fn run(command: &mut Command) -> Duration {
    let start = Instant::now();
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let elapsed = start.elapsed();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    elapsed
}

/// The measured times of one contestant.
#[derive(Debug)]
pub struct Figures {
    /// The name of the contestant.
    pub name: String,
    times: Vec<Duration>,
}

impl Figures {
    /// The median of the times.
    pub fn median(&self) -> Duration {
        let mut times = self.times.clone();
        times.sort();
        times[times.len() / 2]
    }
}

/// A name, and a function that runs once and returns the time to count, without the time of its preparation.
pub type Contestant<'a> = (String, Box<dyn FnMut() -> Duration + 'a>);

/// Measures all contestants in alternating order, so that other load on the machine affects them equally.
pub fn in_turns(rounds: usize, mut contestants: Vec<Contestant<'_>>) -> Vec<Figures> {
    let mut figures: Vec<Figures> =
        contestants.iter().map(|(name, _)| Figures { name: name.clone(), times: Vec::new() }).collect();
    for _ in 0..rounds {
        for (index, (_, time)) in contestants.iter_mut().enumerate() {
            figures[index].times.push(time());
        }
    }
    figures
}

/// Prints a table of the times. The ratio of each contestant is relative to the last one.
pub fn print(title: &str, figures: &[Figures]) {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY).set_header([title, "median ms", "min", "max", "ratio"]);
    let base = figures.last().map_or(Duration::ZERO, Figures::median).as_secs_f64();
    for contestant in figures {
        let (min, max) = (contestant.times.iter().min(), contestant.times.iter().max());
        let milliseconds =
            |time: Option<&Duration>| time.map_or_else(String::new, |time| format!("{:.1}", time.as_secs_f64() * 1e3));
        let median = contestant.median();
        let ratio = format!("{:.2}", median.as_secs_f64() / base);
        table.add_row([contestant.name.clone(), milliseconds(Some(&median)), milliseconds(min), milliseconds(max), ratio]);
    }
    println!("{table}\n");
}

/// Writes `count` migrations, each with a table, an index and a row: as `NNNNN_t.up.sql` and `NNNNN_t.down.sql`, or as
/// `NNNNN_t.sql` for tools that read one file for each version.
///
/// # Panics
/// If a file cannot be written.
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

/// The SQL of one up migration, which all three databases support.
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

/// The name of the command-line client of a database.
pub fn client_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Postgres => "psql",
        Kind::MariaDb => "mariadb",
        Kind::Sqlite => "sqlite3",
    }
}

/// The command-line client of a database, connected to a URL.
///
/// # Panics
/// If the URL is not valid.
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
