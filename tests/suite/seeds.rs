//! Checks the properties of the fuzz targets on their seeds, with any compiler. The fuzz targets in `fuzz/` continue from the
//! seeds.

#[path = "../../fuzz/properties.rs"]
mod properties;

use std::fs;
use std::path::Path;

#[test]
fn every_seed_holds_its_property() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds");
    type Property = fn(&str);
    let targets: [(&str, Property); 8] = [
        ("name", properties::name),
        ("header", properties::header),
        ("postgres", properties::postgres),
        ("mysql", properties::mysql),
        ("sqlite", properties::sqlite),
        ("lint", properties::lint),
        ("lock_file", properties::lock_file),
        ("settings", properties::settings),
    ];
    for (target, property) in targets {
        let mut count = 0;
        for seed in fs::read_dir(seeds.join(target)).unwrap() {
            properties::text(&fs::read(seed.unwrap().path()).unwrap(), property);
            count += 1;
        }
        assert!(count > 1, "{target}");
    }
}
