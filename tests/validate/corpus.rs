//! `examples/valid` and `examples/invalid`. Each invalid file states what kubectl answers (`# expect:`) and what `validate` says
//! (`# validate:`); the two must be about the same fields. `VALIDATE_WRITE=1` writes the latter.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, thread};

use clinic_operator::adapters::manifests::parts;
use clinic_operator::api::check::Checker;
use serde_json::Value;

use super::validate;

const EXPECT: &str = "# expect: ";
const VALIDATE: &str = "# validate: ";
/// Marks a file of two documents, an object and what it is changed to.
const NEEDS_BEFORE: &str = "# needs: the object before";
/// Marks a file that the API server takes, since it sees neither other objects nor the time nor the zones.
const NEEDS_TREE: &str = "# needs: the whole tree";
/// How the API server words what is wrong with a shape. `validate` says what to do instead.
const OF_SHAPES: [&str; 10] = [
    " in body ",
    ": Too long: ",
    ": Too many: ",
    ": Unsupported value: ",
    ": Duplicate value: ",
    ": Required value",
    "RFC 1123 subdomain",
    ": name part must ",
    "strict decoding error",
    "json: cannot unmarshal",
];

#[test]
fn what_validate_says_to_an_invalid_manifest_stands_in_it_and_is_about_what_the_api_server_refuses() {
    let wrong: Vec<_> = over(&corpus("invalid", 120), |file| {
        let text = fs::read_to_string(file).unwrap();
        if has_line(&text, NEEDS_BEFORE) {
            return Vec::new();
        }
        let of_tree = has_line(&text, NEEDS_TREE);
        let found = problems(file, if of_tree { &["error", "warning"] } else { &["error"] });
        let stated = stated(&text, VALIDATE);
        let mut wrong = Vec::new();
        if found.is_empty() {
            wrong.push("validate has nothing to say".to_owned());
        }
        if stated != found {
            if std::env::var_os("VALIDATE_WRITE").is_some() {
                write(file, &text, &found);
            } else {
                wrong.push(format!("states\n  {}\nand validate says\n  {}", stated.join("\n  "), found.join("\n  ")));
            }
        }
        if !of_tree {
            wrong.extend(disagreement(&stated_by_the_server(&text), &found));
        }
        wrong
    });
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn validate_has_no_error_in_a_valid_manifest() {
    let wrong = over(&corpus("valid", 30), |file| problems(file, &["error"]));
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_rule_that_compares_with_the_object_before_says_what_the_api_server_says() {
    let checker = Checker::new().unwrap();
    let files = corpus("invalid", 120);
    let mut compared = 0;
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        if !has_line(&text, NEEDS_BEFORE) {
            continue;
        }
        let documents: Vec<Value> = parts(&text).map(|part| part.read().unwrap().unwrap().json()).collect();
        let [before, after] = documents.as_slice() else { panic!("{} has not two documents", file.display()) };
        let check = |object: &Value, before| -> Vec<String> {
            let findings = checker.check(object["kind"].as_str().unwrap(), object, before);
            findings.into_iter().map(|finding| format!("{}: {}", finding.path, finding.message)).collect()
        };
        assert_eq!(check(before, None), [""; 0], "{}", file.display());
        let found = check(after, Some(before));
        assert!(!found.is_empty(), "{} is taken", file.display());
        let wrong = disagreement(&stated_by_the_server(&text), &found);
        assert!(wrong.is_empty(), "{}: {}", file.display(), wrong.join("\n"));
        compared += 1;
    }
    assert!(compared >= 8, "only {compared} files compare");
}

fn has_line(text: &str, mark: &str) -> bool {
    text.lines().any(|line| line == mark)
}

/// Where the API server and `validate` are not about the same fields, or word a rule differently.
fn disagreement(server: &[String], ours: &[String]) -> Vec<String> {
    // Of a map the API server names no key.
    let map = |field: &str| ["metadata.labels", "metadata.annotations"].into_iter().find(|map| field.starts_with(map));
    let field = |line: &str| {
        let field = line.split(": ").next().unwrap_or_default();
        map(field).unwrap_or(field).to_owned()
    };
    let stops = |line: &String| line.starts_with("<nil>") || line.contains("strict decoding error");
    let is_whole = !server.iter().any(stops);
    let said: Vec<_> = server.iter().filter(|line| !line.starts_with("<nil>")).collect();
    let (theirs, mine): (BTreeSet<_>, BTreeSet<_>) =
        (said.iter().map(|line| field(line)).collect(), ours.iter().map(|line| field(line)).collect());
    let mut wrong = Vec::new();
    if !theirs.is_subset(&mine) || (is_whole && theirs != mine) {
        wrong.push(format!("the API server names {theirs:?} and validate names {mine:?}"));
    }
    for line in said.into_iter().filter(|line| !OF_SHAPES.iter().any(|shape| line.contains(shape))) {
        let is_said =
            ours.iter().any(|ours| field(ours) == field(line) && line.ends_with(&ours[field(ours).len() + 2..]));
        if !is_said {
            wrong.push(format!("validate does not say what the API server says: {line}"));
        }
    }
    wrong
}

/// The violations of kubectl's answer, each as `field: …`.
fn stated_by_the_server(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for line in stated(text, EXPECT) {
        if let Some((_, fields)) = line.split_once("strict decoding error: ") {
            // The core kind of that name has no spec; what is wrong is the line that names it.
            let of_the_core = line.contains(r#""v1" cannot"#);
            let names = fields.split('"').skip(1).step_by(2);
            lines.extend(
                names.map(|name| format!("{}: strict decoding error", if of_the_core { "apiVersion" } else { name })),
            );
        } else if line.contains("json: cannot unmarshal") {
            lines.push(format!("metadata.name: {line}"));
        } else if line.contains("no matches for kind") {
            let field =
                if line.contains(r#"in version "clinic-operator.dev/v1alpha1""#) { "kind" } else { "apiVersion" };
            lines.push(format!("{field}: strict decoding error"));
        } else if let Some(rest) = line.strip_prefix("* ") {
            lines.push(rest.to_owned());
        } else if let Some((_, rest)) = line.split_once(" is invalid: ") {
            lines.push(rest.to_owned());
        }
    }
    lines
}

fn stated(text: &str, prefix: &str) -> Vec<String> {
    text.lines().filter_map(|line| line.strip_prefix(prefix)).map(|line| line.trim_end().to_owned()).collect()
}

/// What is found in a file, as `field: message`.
fn problems(file: &Path, severities: &[&str]) -> Vec<String> {
    let answer = validate(&["--output", "json", file.to_str().unwrap()], "");
    let found: Value =
        serde_json::from_str(&answer.out).unwrap_or_else(|_| panic!("{}: {}", file.display(), answer.err));
    let problems = found["problems"].as_array().unwrap();
    let of = problems.iter().filter(|problem| severities.iter().any(|severity| problem["severity"] == *severity));
    of.map(|problem| format!("{}: {}", problem["field"].as_str().unwrap(), problem["message"].as_str().unwrap()))
        .collect()
}

fn write(file: &Path, text: &str, found: &[String]) {
    let rest = text.lines().filter(|line| !line.starts_with(VALIDATE));
    let (head, body): (Vec<_>, Vec<_>) = rest.partition(|line| line.starts_with(EXPECT) || *line == NEEDS_TREE);
    let found = found.iter().map(|line| format!("{VALIDATE}{line}"));
    let lines: Vec<_> =
        head.into_iter().map(str::to_owned).chain(found).chain(body.into_iter().map(str::to_owned)).collect();
    fs::write(file, lines.join("\n") + "\n").unwrap();
}

/// The files of a folder, by paths relative to the repository.
fn corpus(folder: &str, at_least: usize) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Path::new("examples").join(folder);
    let mut files: Vec<_> =
        root.join(&folder).read_dir().unwrap().map(|entry| folder.join(entry.unwrap().file_name())).collect();
    files.sort();
    assert!(files.len() >= at_least, "{} has only {} manifests", folder.display(), files.len());
    files
}

/// What `complain` says about the files, on all processors, each complaint with its file.
fn over(files: &[PathBuf], complain: impl Fn(&Path) -> Vec<String> + Sync) -> Vec<String> {
    let about = |file: &PathBuf| {
        complain(file).into_iter().map(|text| format!("{}: {text}", file.display())).collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let workers: Vec<_> = files
            .chunks(files.len().div_ceil(4))
            .map(|some| scope.spawn(move || some.iter().flat_map(about).collect::<Vec<_>>()))
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}
