//! Which database server is meant, where that changes the answer.

use migrate_model::dialect::Dialect;
use std::fmt;
use std::str::FromStr;

/// The minor version where none is said: the newest.
const NEWEST: u32 = u32::MAX;

/// A product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// PostgreSQL.
    Postgres,
    /// MySQL.
    MySql,
    /// MariaDB.
    MariaDb,
    /// SQLite.
    Sqlite,
}

/// A product and its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Server {
    /// The product.
    pub product: Product,
    /// Major and minor version.
    pub version: (u32, u32),
}

impl Server {
    /// The one that is meant where nobody says otherwise: of the products with long support, an older one.
    pub fn of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Postgres => Server { product: Product::Postgres, version: (14, NEWEST) },
            Dialect::MySql => Server { product: Product::MariaDb, version: (10, 11) },
            Dialect::Sqlite => Server { product: Product::Sqlite, version: (3, 40) },
        }
    }

    /// Is it this version or a newer one?
    pub fn is_at_least(&self, major: u32, minor: u32) -> bool {
        self.version >= (major, minor)
    }

    /// The SQL that it reads.
    pub fn dialect(&self) -> Dialect {
        match self.product {
            Product::Postgres => Dialect::Postgres,
            Product::MySql | Product::MariaDb => Dialect::MySql,
            Product::Sqlite => Dialect::Sqlite,
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.product {
            Product::Postgres => "PostgreSQL",
            Product::MySql => "MySQL",
            Product::MariaDb => "MariaDB",
            Product::Sqlite => "SQLite",
        };
        match self.version {
            (major, NEWEST) => write!(f, "{name} {major}"),
            (major, minor) => write!(f, "{name} {major}.{minor}"),
        }
    }
}

impl FromStr for Server {
    type Err = ();

    /// Reads `postgres 14`, `mysql 8.4`, `mariadb`, `sqlite 3.45`.
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
    fn servers_are_read() {
        assert_eq!("postgres 14".parse::<Server>().unwrap().to_string(), "PostgreSQL 14");
        assert_eq!("MySQL 8.4.1".parse::<Server>().unwrap().to_string(), "MySQL 8.4");
        assert_eq!("mariadb".parse::<Server>().unwrap().product, Product::MariaDb);
        assert!("oracle".parse::<Server>().is_err());
        assert!("postgres x".parse::<Server>().is_err());
        assert!(Server::of(Dialect::Postgres).is_at_least(12, 0) && !Server::of(Dialect::Postgres).is_at_least(18, 0));
    }
}
