//! Whose fault a failure is, reply by reply and stage by stage, and how a failure is told.

use super::*;

/// Failures without a verdict of the server.
fn without_verdict() -> [Failure; 5] {
    let [unreachable, disconnected, timed_out, malformed] =
        [Cause::Unreachable, Cause::Disconnected, Cause::TimedOut, Cause::Malformed].map(Failure::Other);
    [unreachable, disconnected, timed_out, malformed, reply("250")]
}

fn reply(line: &str) -> Failure {
    let (code, text) = line.split_once(' ').unwrap_or((line, ""));
    Failure::Reply(Reply::parse(code.parse().unwrap_or(0), text))
}

const REPLIES: [&str; 19] = [
    "421",
    "421 4.7.0",
    "450 4.2.1",
    "451 4.7.1",
    "452 4.2.2",
    "452 4.3.1",
    "452 4.4.5",
    "535 5.7.8",
    "550",
    "550 5.1.1",
    "550 5.1.10",
    "550 5.4.5",
    "550 5.7.1",
    "551",
    "552 5.2.2",
    "552 5.3.1",
    "553 5.1.3",
    "554",
    "554 5.6.0",
];

#[test]
fn before_the_recipient_is_named_everything_is_the_mailers_fault() {
    let stages = &Stage::ALL[..6];
    assert_eq!(stages.last(), Some(&Stage::MailFrom));
    for stage in stages {
        for failure in without_verdict().into_iter().chain(REPLIES.map(reply)).chain([
            Cause::Tls.into(),
            Cause::NotOffered.into(),
            Failure::Unreadable(Cause::UnreadableCredentials, "password".into()),
        ]) {
            assert_eq!(whose_fault(*stage, &failure), Fault::Mailer, "{stage:?} {failure:?}");
        }
    }
}

/// One letter a reply of `REPLIES`: Mailer, Address, Undecided, Nobody.
#[test]
fn a_reply_is_blamed_as_the_table_says() {
    for (stage, faults) in [
        (Stage::RcptTo, "UUUUNUMMUAAMMUNMAUU"),
        (Stage::Data, "UUUUUUMMMMMMMMMMMMM"),
        (Stage::Content, "UUUUUUMMMMMMMMMMMMM"),
        (Stage::AfterDot, "UUUUUUMMMMMMMMMMMMM"),
    ] {
        assert_eq!(faults.len(), REPLIES.len());
        for (line, letter) in REPLIES.into_iter().zip(faults.chars()) {
            let expected = match letter {
                'M' => Fault::Mailer,
                'A' => Fault::Address,
                'U' => Fault::Undecided,
                _ => Fault::Nobody,
            };
            assert_eq!(whose_fault(stage, &reply(line)), expected, "{stage:?} {line}");
        }
    }
}

/// The table that the tests with a relay play, too.
#[test]
fn each_reply_of_the_page_is_blamed_as_the_page_says() {
    let page = include_str!("../../docs/reliability.md");
    let rows = page.lines().skip_while(|line| !line.starts_with("| Reply | at |")).skip(2);
    let mut told = 0;
    for row in rows.take_while(|line| line.starts_with('|')) {
        let [line, at, one] = [1, 2, 3].map(|column| row.split('|').nth(column).unwrap().trim());
        let stage = Stage::ALL.into_iter().find(|stage| stage.to_string() == at).unwrap();
        let expected = match one {
            "mailer" => Fault::Mailer,
            "address" => Fault::Address,
            "nobody yet" => Fault::Undecided,
            other => {
                assert_eq!(other, "nobody");
                Fault::Nobody
            }
        };
        assert_eq!(whose_fault(stage, &reply(line.trim_matches('`'))), expected, "{row}");
        told += 1;
    }
    assert!(told >= 15, "{told} rows");
}

#[test]
fn what_a_server_says_only_to_rcpt_about_the_sender_is_not_the_recipients_fault() {
    for line in ["553 5.1.7", "550 5.1.8", "503 5.5.1", "503", "504", "530", "530 5.5.1"] {
        assert_eq!(whose_fault(Stage::RcptTo, &reply(line)), Fault::Mailer, "{line}");
    }
}

#[test]
fn no_verdict_is_nobodys_fault_before_the_dot_and_unknown_after_it() {
    for failure in without_verdict() {
        for stage in [Stage::RcptTo, Stage::Data, Stage::Content] {
            assert_eq!(whose_fault(stage, &failure), Fault::Nobody, "{stage:?} {failure:?}");
        }
        assert_eq!(whose_fault(Stage::AfterDot, &failure), Fault::Unknown, "{failure:?}");
    }
    assert_eq!(whose_fault(Stage::AfterDot, &Cause::Tls.into()), Fault::Unknown, "a copy may have left");
}

#[test]
fn an_address_that_cannot_be_mailed_is_the_addresss_fault() {
    assert_eq!(whose_fault(Stage::RcptTo, &Cause::InvalidAddress.into()), Fault::Address);
}

#[test]
fn the_enhanced_code_is_read_from_the_first_word_only() {
    for (code, text, shown) in [
        (550, "5.1.1 <zoe@people.example>: unknown", "550 5.1.1"),
        (550, "5.1.1", "550 5.1.1"),
        (550, "5.7.509 Access denied", "550 5.7.509"),
        (550, "No such user zoe@people.example", "550"),
        (550, "4.2.2 class contradicts the code", "550"),
        (550, "see 5.1.1", "550"),
        (550, "5.1.1.1 x", "550"),
        (550, "5.1 x", "550"),
        (550, "5..1 x", "550"),
        (550, "5.+1.1 x", "550"),
        (550, "5.1.1234 x", "550"),
        (550, "5.1.1: x", "550"),
        (250, "2.0.0 queued as 4F3A", "250 2.0.0"),
        (550, "", "550"),
    ] {
        assert_eq!(Reply::parse(code, text).to_string(), shown, "{code} {text}");
    }
}

#[test]
fn the_wait_doubles_from_one_minute_to_an_hour() {
    let minutes = [0, 1, 2, 3, 4, 5, 6, 7, 8, u32::MAX].map(|n| back_off(n).as_mins());
    assert_eq!(minutes, [1, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
}

/// Every failure that there can be, but for the text of replies.
fn failures() -> impl Iterator<Item = Failure> {
    let causes = [
        Cause::Unreachable,
        Cause::Disconnected,
        Cause::TimedOut,
        Cause::Tls,
        Cause::NotTls,
        Cause::CertificateExpired,
        Cause::CertificateNotYetValid,
        Cause::CertificateOfOtherName,
        Cause::CertificateWithoutName,
        Cause::CertificateOfUnknownAuthority,
        Cause::CertificateOfAuthority,
        Cause::NotOffered,
        Cause::Malformed,
        Cause::InvalidAddress,
        Cause::NotRendered,
    ];
    REPLIES.map(reply).into_iter().chain(causes.map(Failure::from))
}

#[test]
fn what_the_ledger_keeps_tells_and_blames_as_the_failure_itself() {
    for stage in Stage::ALL {
        for failure in failures() {
            let undelivered = Undelivered { stage, failure };
            let trouble = undelivered.trouble();
            assert_eq!(trouble.to_string(), undelivered.to_string());
            assert_eq!(trouble.is_of_the_address(), undelivered.fault() == Fault::Address, "{undelivered}");
        }
    }
    let failure = Failure::Unreadable(Cause::UnreadableCredentials, "/run/smtp/password: denied".into());
    let file = Undelivered { stage: Stage::Auth, failure };
    assert_eq!(file.to_string(), "failed to deliver at AUTH: failed to read /run/smtp/password: denied", "for the log");
    assert_eq!(
        file.trouble().to_string(),
        "failed to deliver at AUTH: failed to read the files of mail.credentials; the log says why"
    );
    assert!(Trouble::default().is_of_the_address(), "an attempt of an older version, which kept nothing");
}

#[test]
fn only_a_refusal_for_good_after_the_sender_was_taken_can_be_of_this_mail_alone() {
    for stage in Stage::ALL {
        let refuses = |line| Undelivered { stage, failure: reply(line) }.trouble().is_a_refusal_of_the_mail();
        let after = !matches!(
            stage,
            Stage::Connect | Stage::Greeting | Stage::Ehlo | Stage::StartTls | Stage::Auth | Stage::MailFrom
        );
        assert_eq!(
            (refuses("554 5.6.0"), refuses("550 5.7.1"), refuses("451 4.7.1")),
            (after, after, false),
            "{stage}"
        );
        assert!(
            !refuses("550 5.4.5") && !refuses("552 5.3.1") && !refuses("550 5.1.8"),
            "quotas and our address are ours"
        );
        let cut = Undelivered { stage, failure: Cause::Disconnected.into() };
        assert!(!cut.trouble().is_a_refusal_of_the_mail());
    }
}

/// A ledger outlives the version that wrote it: no word may go.
#[test]
fn every_word_of_the_ledgers_of_version_0_1_is_understood() {
    for word in [
        "Unreachable",
        "Disconnected",
        "TimedOut",
        "Tls",
        "NotOffered",
        "Malformed",
        "UnreadableCredentials",
        "UnreadableAuthorities",
        "InvalidAddress",
        "NotRendered",
    ] {
        let cause: Cause = serde_json::from_value(word.into()).unwrap();
        assert_eq!(serde_json::to_value(cause).unwrap(), word);
    }
}
