//! What is in the image, looked at without running it. Never here: that it runs, which every other test needs.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::node::{WITH_CLOCK, image, packed};
use crate::support::test_clock;

/// Compressed, in bytes: small enough to be there in a second.
const LARGEST: u64 = 15 << 20;

/// An image, unpacked.
struct Unpacked {
    folder: tempfile::TempDir,
    manifest: Value,
    configuration: Value,
}

impl Unpacked {
    fn of(image: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        untar(image, folder.path());
        let index = read(&folder.path().join("index.json"));
        let manifest = read(&blob(folder.path(), &index["manifests"][0]["digest"]));
        let configuration = read(&blob(folder.path(), &manifest["config"]["digest"]));
        std::fs::create_dir(folder.path().join("root")).unwrap();
        untar(&blob(folder.path(), &manifest["layers"][0]["digest"]), &folder.path().join("root"));
        Self { folder, manifest, configuration }
    }

    fn has_the_tests_clock(&self) -> bool {
        let binary = std::fs::read(self.folder.path().join("root/clinic-operator")).unwrap();
        binary.windows(test_clock::VARIABLE.len()).any(|part| part == test_clock::VARIABLE.as_bytes())
    }
}

fn untar(file: &Path, into: &Path) {
    let status = Command::new("tar").arg("-xf").arg(file).arg("-C").arg(into).status().expect("tar starts");
    assert!(status.success(), "{}", file.display());
}

fn read(file: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

fn blob(folder: &Path, digest: &Value) -> std::path::PathBuf {
    folder.join("blobs/sha256").join(digest.as_str().unwrap().strip_prefix("sha256:").unwrap())
}

#[test]
fn the_image_holds_the_binary_and_the_libraries_that_it_needs_and_runs_as_nobody() {
    let image = Unpacked::of(&image());
    assert_eq!(image.configuration["config"]["User"], "65532:65532");
    assert_eq!(image.configuration["config"]["Entrypoint"], serde_json::json!(["/clinic-operator"]));
    let root = image.folder.path().join("root");
    let found = Command::new("find").arg(&root).args(["-type", "f", "-printf", "%P\n"]).output().unwrap();
    let mut files: BTreeSet<String> = String::from_utf8(found.stdout).unwrap().lines().map(str::to_owned).collect();
    for usual in ["clinic-operator", "etc/passwd", "etc/group", "etc/nsswitch.conf"] {
        assert!(files.remove(usual), "{usual}");
    }
    // Not every machine that builds has authorities.
    files.remove("etc/ssl/certs/ca-certificates.crt");
    assert!(!files.is_empty() && files.iter().all(|file| file.starts_with("lib") && file.contains(".so")), "{files:?}");
    assert!(!image.has_the_tests_clock());
    // A binary of the tests is many times as large as that of a release.
    let size = image.manifest["layers"][0]["size"].as_u64().unwrap();
    assert!(size <= LARGEST || std::env::var_os("CLINIC_OPERATOR_IMAGE").is_none(), "{size} bytes");
    assert!(Unpacked::of(&packed(&test_clock::program(), WITH_CLOCK)).has_the_tests_clock(), "it would be seen");
}
