//! `kubectl clinic members`: the list as the clinic knows it, for people, programs and spreadsheets.

use std::io::Read;
use std::process::Stdio;

use serde_json::{Value, json};

use super::{Person, signed_in};
use crate::support::control_plane::control_plane;
use crate::world::{World, staff};

const ANA: &str = "
apiVersion: clinic-operator.dev/v1alpha1
kind: ClinicUser
metadata: {name: ana}
spec: {email: ana@maple.example, type: Practitioner, classification: Standard, license: CHRPlus, position: Family physician}
";
const MEI: &str = "
apiVersion: clinic-operator.dev/v1alpha1
kind: ClinicUser
metadata: {name: mei}
spec: {email: mei@locums.example, type: Practitioner, classification: Locum}
";
const SAM: &str = "
apiVersion: clinic-operator.dev/v1alpha1
kind: ClinicUser
metadata: {name: sam}
spec: {email: sam@university.example, type: Practitioner, classification: ClinicalTrainee, expectedEndOfTraining: 2087-06-30}
";
const REFERRALS: &str = "
apiVersion: clinic-operator.dev/v1alpha1
kind: ServiceAccount
metadata: {name: referrals}
spec: {displayName: Referrals, email: ana@maple.example, manager: {firstName: Ana, lastName: Silva}}
";

#[test]
fn the_list_shows_active_members_as_the_settings_page_does() {
    let world = World::new("listing");
    let viewer = Person::viewer(&world);
    let said = viewer.says(&["members"]);
    let nobody = format!("There is no active member in {}.\n", world.namespace.name());
    assert_eq!((said.code, said.stdout.as_str(), said.stderr.as_str()), (0, "", nobody.as_str()));
    signed_in(&world, "ana", ANA, "Ana", "Silva", Some("Dr."));
    signed_in(&world, "mei", MEI, "小龍", "李", Some("RN"));
    signed_in(&world, "zoe", &staff("zoe", "zoe@maple.example"), "Zoe\u{308}", "Côté", None);
    signed_in(&world, "sam", SAM, "émile", "Okafor", None);
    world.apply(REFERRALS);
    world.in_state("clinicserviceaccount", "Active", "referrals");
    world.apply(&staff("ola", "ola@maple.example"));
    world.member_in("Invited", "ola");
    assert_eq!(
        viewer.ok(&["members"]),
        "\
NAME           TITLE   POSITION OR TYPE   MANIFEST
Ana Silva      Dr.     Family physician   clinicuser/ana
émile Okafor   -       Clinical trainee   clinicuser/sam
Referrals      -       Service account    clinicserviceaccount/referrals
Zoe\u{308} Côté       -       Staff              clinicuser/zoe
小龍 李        RN      Locum              clinicuser/mei
"
    );
    assert_eq!(
        viewer.ok(&["members", "--all", "--emails"]),
        "\
NAME           TITLE   POSITION OR TYPE   STATE     ACCESS UNTIL   EMAIL                    MANIFEST
Ana Silva      Dr.     Family physician   Active    -              ana@maple.example        clinicuser/ana
émile Okafor   -       Clinical trainee   Active    2087-07-14     sam@university.example   clinicuser/sam
Referrals      -       Service account    Active    -              ana@maple.example        clinicserviceaccount/referrals
Zoe\u{308} Côté       -       Staff              Active    -              zoe@maple.example        clinicuser/zoe
小龍 李        RN      Locum              Active    -              mei@locums.example       clinicuser/mei
-              -       -                  Invited   -              ola@maple.example        clinicuser/ola
"
    );
    let list: Value = serde_json::from_str(&viewer.ok(&["members", "-o", "json"])).unwrap();
    assert_eq!(
        list[1],
        json!({"name": "émile Okafor", "title": null, "designation": "Clinical trainee", "state": "Active",
            "accessUntil": "2087-07-14", "manifest": "clinicuser/sam"})
    );
    assert_eq!(list.as_array().unwrap().len(), 5);
    let list: Value = serde_json::from_str(&viewer.ok(&["members", "--all", "--emails", "-o", "json"])).unwrap();
    assert_eq!(
        list[5],
        json!({"name": null, "title": null, "designation": null, "state": "Invited", "accessUntil": null,
            "manifest": "clinicuser/ola", "email": "ola@maple.example"})
    );
    // What is listed is what kubectl takes.
    let manifest = list[0]["manifest"].as_str().unwrap();
    assert_eq!(viewer.kubectl(&["get", manifest, "-o", "name"]).code, 0);
}

#[test]
fn a_spreadsheet_gets_names_that_people_chose_as_text() {
    let world = World::new("csv");
    let viewer = Person::viewer(&world);
    signed_in(&world, "ana", ANA, "=HYPERLINK(\"http://x.example\";\"A\")", "Silva, \"the boss\"", Some("@Dr."));
    signed_in(&world, "zoe", &staff("zoe", "+zoe@maple.example"), "Zoë", "O'Connor", None);
    assert_eq!(
        viewer.ok(&["members", "-o", "csv", "--emails"]),
        "name,title,designation,state,accessUntil,manifest,email\r\n\
         \"'=HYPERLINK(\"\"http://x.example\"\";\"\"A\"\") Silva, \"\"the boss\"\"\",'@Dr.,Family physician,Active,,clinicuser/ana,ana@maple.example\r\n\
         Zoë O'Connor,,Staff,Active,,clinicuser/zoe,'+zoe@maple.example\r\n"
    );
    assert!(!viewer.ok(&["members", "-o", "csv"]).contains("maple.example"), "no address unless it is asked for");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let world = World::without_clinic("pipe");
    // More than a pipe holds, so that the writer meets the closed end.
    let member = |number: usize| {
        json!({"apiVersion": "clinic-operator.dev/v1alpha1", "kind": "ClinicUser",
            "metadata": {"name": format!("member-{number:04}-{}", "x".repeat(50))},
            "spec": {"email": format!("member-{number}@maple.example"), "type": "Staff"}})
    };
    control_plane().create_all(&world.namespace, "clinicusers", (0..800).map(member).collect());
    let viewer = Person::viewer(&world);
    assert!(viewer.ok(&["members", "--all"]).len() > 65_536, "it does not fit into a pipe");
    let mut child =
        viewer.command(&["clinic", "members", "--all"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 4];
    let mut reader = child.stdout.take().unwrap();
    reader.read_exact(&mut first).unwrap();
    drop(reader);
    let output = child.wait_with_output().unwrap();
    assert_eq!((&first, output.status.code()), (b"NAME", Some(0)));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
