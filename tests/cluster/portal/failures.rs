//! The log has a line for each try to get in that failed: whose, from where, by what and why. That nothing of what was typed is in it
//! is tested in `secrecy`.

use serde_json::{Value, json};

use super::{House, PASSWORD, WRONG, email, sign_in};
use crate::support::wait::{PATIENCE, eventually_ok};

/// The lines so far: what was tried, the account or the digest, factor and outcome.
fn lines(house: &House) -> Vec<[String; 4]> {
    let log = house.portal.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let lines = lines.filter(|line| line["message"].as_str().is_some_and(|message| message.ends_with(" failed")));
    let of = |line: &Value| {
        assert_eq!((&line["client"], &line["level"]), (&json!("127.0.0.1"), &json!("INFO")), "{line}");
        assert!(line.get("account").is_none() || line.get("typed").is_none(), "{line}");
        let who = line.get("account").or(line.get("typed")).unwrap_or(&Value::Null);
        [&line["message"], who, &line["factor"], &line["outcome"]].map(|it| it.as_str().unwrap_or("nobody").to_owned())
    };
    lines.map(|line| of(&line)).collect()
}

#[test]
fn every_try_that_fails_leaves_a_line_that_says_whose_by_what_and_why() {
    let house = House::at("failures", "2027-06-01T12:00:00Z");
    let link = house.invited("ana");
    house.accepted("bea");
    let (_, factor, codes) = house.accepted_with_factor("zoe");
    assert_eq!(lines(&house), Vec::<[String; 4]>::new(), "who gets in leaves none");
    let id = |name: &str| house.world.account_of(name)["metadata"]["name"].as_str().unwrap().to_owned();
    let mut visitor = house.portal.visitor();
    for (username, password) in [
        (email("bea"), WRONG),
        (email("nobody"), WRONG),
        (format!(" {} ", email("nobody").to_uppercase()), PASSWORD),
        ("no address".to_owned(), PASSWORD),
    ] {
        assert_eq!(sign_in(&mut visitor, &username, password).status, 422);
    }
    let step = sign_in(&mut visitor, &email("zoe"), PASSWORD);
    for code in [factor.code(house.now()), "12".to_owned()] {
        assert_eq!(visitor.submit(&step.form().with("code", &code)).status, 422);
    }
    let recovery = |code: &str| step.form().without("code").with("recovery_code", code);
    assert_eq!(visitor.submit(&recovery(&codes[0].replace(char::is_numeric, "x"))).status, 422);
    visitor.submit(&step.form().with("draft", "forged").with("code", "123456"));
    visitor.get(&format!("{link}x"));
    visitor.get("/invitations#a-00000000-0000-0000-0000-000000000000.x");
    house.member("bea", &json!({"suspended": true}));
    eventually_ok(PATIENCE, "the suspension to hold", || {
        let status = sign_in(&mut house.portal.visitor(), &email("bea"), PASSWORD).status;
        if status == 422 { Ok(()) } else { Err(status) }
    });
    let told = lines(&house);
    // Of the username that nobody has: the same each time, and not that of another.
    let (nobody, no_address, no_account) = (told[1][1].clone(), told[3][1].clone(), told[9][1].clone());
    let digests = [&nobody, &no_address, &no_account];
    assert!(digests.iter().all(|it| it.len() == 16 && it.chars().all(|c| c.is_ascii_hexdigit())), "{digests:?}");
    assert!(nobody != no_address && no_address != no_account);
    let (bea, zoe, ana) = (id("bea"), id("zoe"), id("ana"));
    let (signing_in, accepting) = ("a sign-in failed", "an acceptance failed");
    let expected = [
        [signing_in, &bea, "password", "wrong"],
        [signing_in, &nobody, "password", "wrong"],
        [signing_in, &nobody, "password", "wrong"],
        [signing_in, &no_address, "password", "wrong"],
        [signing_in, &zoe, "totp", "used"],
        [signing_in, &zoe, "totp", "malformed"],
        [signing_in, &zoe, "recovery_code", "wrong"],
        [signing_in, "nobody", "totp", "out_of_date"],
        [accepting, &ana, "link", "wrong"],
        [accepting, &no_account, "link", "wrong"],
        [signing_in, &bea, "password", "no_access"],
    ];
    assert_eq!(told, expected.map(|line| line.map(str::to_owned)));
    // Until it is slowed down, and then too.
    let answers = eventually_ok(PATIENCE, "a try to be slowed down", || {
        let status = sign_in(&mut visitor, &email("ana"), WRONG).status;
        if status == 429 { Ok(lines(&house)) } else { Err(status) }
    });
    assert_eq!(answers.last().unwrap()[2..], ["password", "slowed_down"]);
}
