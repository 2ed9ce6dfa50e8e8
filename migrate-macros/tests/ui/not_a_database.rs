use migrate_runtime::{Dialect, MigrationSet, Migrator};

async fn run(pool: Vec<String>) {
    let set = MigrationSet::builder("shop", Dialect::Sqlite).build().unwrap();
    Migrator::new(set).run(&pool).await.unwrap();
}

fn main() {}
