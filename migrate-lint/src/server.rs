//! The database server that migrations are checked for.

use migrate_model::dialect::Dialect;
use std::fmt;
use std::str::FromStr;

/// The minor version if none is given: the newest one.
const NEWEST: u32 = u32::MAX;

/// A database product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// PostgreSQL.
    Postgres,
    /// MySQL, as opposed to MariaDB.
    MySql,
    /// MariaDB.
    MariaDb,
    /// SQLite.
    Sqlite,
}

impl Product {
    /// Its SQL dialect.
    pub const fn dialect(self) -> Dialect {
        match self {
            Product::Postgres => Dialect::Postgres,
            Product::MySql | Product::MariaDb => Dialect::MySql,
            Product::Sqlite => Dialect::Sqlite,
        }
    }

    /// The name, such as `PostgreSQL`.
    pub const fn name(self) -> &'static str {
        match self {
            Product::Postgres => "PostgreSQL",
            Product::MySql => "MySQL",
            Product::MariaDb => "MariaDB",
            Product::Sqlite => "SQLite",
        }
    }
}

/// A database product and its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Server {
    /// The product, which determines the dialect.
    pub product: Product,
    /// The major and the minor version.
    pub version: (u32, u32),
}

impl Server {
    /// The default server of a dialect: an older version that still has long-term support. For MySQL it is MariaDB.
    pub fn of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Postgres => Server { product: Product::Postgres, version: (14, NEWEST) },
            Dialect::MySql => Server { product: Product::MariaDb, version: (10, 11) },
            Dialect::Sqlite => Server { product: Product::Sqlite, version: (3, 40) },
        }
    }

    /// Is the version at least this one?
    pub fn is_at_least(&self, major: u32, minor: u32) -> bool {
        self.version >= (major, minor)
    }

    /// The SQL dialect of the product.
    pub fn dialect(&self) -> Dialect {
        self.product.dialect()
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.product.name();
        match self.version {
            (major, NEWEST) => write!(f, "{name} {major}"),
            (major, minor) => write!(f, "{name} {major}.{minor}"),
        }
    }
}

impl FromStr for Server {
    type Err = ();

    /// Parses a product name with an optional version: `postgres 14`, `mysql 8.4`, `mariadb`, `sqlite 3.45`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut words = text.split_whitespace();
        let mut server = match words.next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "postgres" | "postgresql" => Server::of(Dialect::Postgres),
            "mariadb" => Server::of(Dialect::MySql),
            "mysql" => Server { product: Product::MySql, version: (8, 0) },
            "sqlite" => Server::of(Dialect::Sqlite),
            _ => return Err(()),
        };
        if let Some(version) = words.next() {
            let mut parts = version.split('.').map(|part| part.parse::<u32>().map_err(|_| ()));
            let major = parts.next().ok_or(())??;
            server.version = (major, parts.next().transpose()?.unwrap_or(NEWEST));
        }
        if words.next().is_some() { Err(()) } else { Ok(server) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_parsed() {
        assert_eq!("postgres 14".parse::<Server>().unwrap().to_string(), "PostgreSQL 14");
        assert_eq!("MySQL 8.4.1".parse::<Server>().unwrap().to_string(), "MySQL 8.4");
        assert_eq!("mariadb".parse::<Server>().unwrap().product, Product::MariaDb);
        assert!("oracle".parse::<Server>().is_err());
        assert!("postgres x".parse::<Server>().is_err());
        assert!(Server::of(Dialect::Postgres).is_at_least(12, 0) && !Server::of(Dialect::Postgres).is_at_least(18, 0));
    }
}
