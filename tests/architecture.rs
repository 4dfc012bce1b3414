//! The shape of the code: imports go down only, the rules know no outside, files stay short and say what they hold. What the
//! code does never stands here.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// Modules by layer, from the bottom. Those of one layer that are not the same module never import each other.
const LAYERS: [&[&str]; 8] = [
    &["domain"],
    &["api"],
    &["adapters"],
    &["controller", "kubectl", "portal", "review"],
    &["config", "lib"],
    &["logging"],
    &["cli"],
    &["main", "bin"],
];

/// What the rules may use: no I/O, no clock, no Kubernetes. Each is small and only computes.
const PURE: [&str; 16] = [
    "crate",
    "data_encoding",
    "hmac",
    "idna",
    "jiff",
    "qrcodegen",
    "schemars",
    "secrecy",
    "self",
    "serde",
    "sha1",
    "sha2",
    "std",
    "subtle",
    "super",
    "unicode_normalization",
];

/// Parts of the standard library that are not pure.
const IMPURE: [&str; 6] = ["std::env", "std::fs", "std::io", "std::net", "std::process", "std::time::SystemTime"];

const LONGEST_FILE: usize = 400;

#[test]
fn imports_go_down_only() {
    let mut wrong = Vec::new();
    for file in sources("src") {
        let text = fs::read_to_string(&file).unwrap();
        let from = module_of(&file);
        for to in imported_modules(&text) {
            let (Some(above), Some(below)) = (layer_of(&from), layer_of(&to)) else {
                wrong.push(format!("{}: {to} belongs to no layer", file.display()));
                continue;
            };
            if from != to && below >= above {
                wrong.push(format!("{}: {from} imports {to}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "imports go down only (see ARCHITECTURE.md):\n{}", wrong.join("\n"));
}

#[test]
fn the_rules_know_no_outside() {
    let mut wrong = Vec::new();
    for file in sources("src/domain").into_iter().filter(|file| !file.to_string_lossy().ends_with("_tests.rs")) {
        let text = fs::read_to_string(&file).unwrap();
        let tests = text.find("#[cfg(test)]").unwrap_or(text.len());
        for line in text[..tests].lines().map(str::trim) {
            let Some(import) = line.strip_prefix("pub use ").or_else(|| line.strip_prefix("use ")) else { continue };
            let root = import.split([':', ';', ' ']).next().unwrap_or_default();
            if !PURE.contains(&root) || IMPURE.iter().any(|impure| import.starts_with(impure)) {
                wrong.push(format!("{}: {line}", file.display()));
            }
        }
        wrong.extend(
            IMPURE
                .iter()
                .filter(|impure| text[..tests].contains(*impure))
                .map(|impure| format!("{}: {impure}", file.display())),
        );
    }
    assert!(wrong.is_empty(), "domain/ is without I/O, clock and Kubernetes:\n{}", wrong.join("\n"));
}

#[test]
fn every_file_is_short_and_opens_by_saying_what_it_holds() {
    let mut wrong = Vec::new();
    for file in sources("src").into_iter().chain(sources("tests")).chain(sources("benches")) {
        let text = fs::read_to_string(&file).unwrap();
        let lines = text.lines().count();
        if lines > LONGEST_FILE {
            wrong.push(format!("{}: {lines} lines", file.display()));
        }
        if !text.starts_with("//!") {
            wrong.push(format!("{}: does not open with //!", file.display()));
        }
    }
    for (file, longest) in [("README.md", 200), ("ARCHITECTURE.md", 120)] {
        let lines = fs::read_to_string(root().join(file)).unwrap().lines().count();
        if lines > longest {
            wrong.push(format!("{file}: {lines} lines"));
        }
    }
    assert!(wrong.is_empty(), "too long, or without a head:\n{}", wrong.join("\n"));
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files below a folder, with paths from the root of the repository.
fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    assert!(folder != "src" || found.len() > 20, "the sources are where they are looked for");
    found.sort();
    found
}

/// `src/domain/email.rs` and `src/domain.rs` are of module `domain`.
fn module_of(file: &Path) -> String {
    let first = file.strip_prefix("src").unwrap().components().next().unwrap();
    Path::new(first.as_os_str()).file_stem().unwrap().to_string_lossy().into_owned()
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// Every module named after `crate::` (also in a group `crate::{a, b}`) or, in main.rs, after `clinic_operator::`.
fn imported_modules(text: &str) -> Vec<String> {
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut modules = Vec::new();
    for after in ["crate::", "clinic_operator::"].iter().flat_map(|prefix| code.split(prefix).skip(1)) {
        match after.strip_prefix('{') {
            Some(group) => modules.extend(top_names(group)),
            None => modules.extend(name(after)),
        }
    }
    modules
}

/// The first names of a group, up to its closing brace.
fn top_names(group: &str) -> Vec<String> {
    let mut depth = 0;
    let mut names = Vec::new();
    let mut start = 0;
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => {
                names.extend(name(group[start..at].trim()));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.extend(name(group[start..at].trim()));
                start = at + 1;
            }
            _ => {}
        }
    }
    names
}

fn name(text: &str) -> Option<String> {
    let name: String = text.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect();
    (!name.is_empty()).then_some(name)
}
