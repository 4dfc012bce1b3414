//! Crowds that want nothing but to be in the way: what they send is answered or cut off, and others get in meanwhile. Never here: how
//! fast, which `make bench` measures.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use super::{House, PASSWORD, WRONG, email, sign_in};
use crate::support::control_plane::control_plane;
use crate::support::portal::PortalOptions;
use crate::support::wait::{PATIENCE, eventually_ok, now};
use crate::world::torture;

/// One in which the test says from which address somebody comes.
fn behind_a_proxy(prefix: &str) -> House {
    let trusted = ("/trustedProxies", json!(["127.0.0.1/32"]));
    let quiet = ("/log/level", json!("info"));
    House::with(prefix, PortalOptions { configuration: vec![trusted, quiet], ..PortalOptions::default() })
}

/// Ends the crowd, also if the test fails.
struct AtTheEnd<'a>(&'a AtomicBool);

impl Drop for AtTheEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_crowd_of_wrong_sign_ins_keeps_neither_known_browsers_nor_another_network_out() {
    let house = behind_a_proxy("sign-ins");
    let known = house.accepted("ana").with("x-forwarded-for", "198.51.100.200");
    house.accepted("bea");
    let (over, busy) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let ends = AtTheEnd(&over);
        let crowd: Vec<_> = (0..130)
            .map(|member| {
                let (over, busy) = (&over, &busy);
                // Enough networks to fill every place of strangers.
                let address = format!("198.51.{}.{member}", 100 + member % 4);
                let mut visitor = house.portal.visitor().with("x-forwarded-for", &address);
                scope.spawn(move || {
                    let form = visitor.get("/sign-in").form().with("password", WRONG);
                    for number in 0.. {
                        if over.load(Ordering::Relaxed) {
                            return;
                        }
                        let answer =
                            visitor.submit(&form.clone().with("email", &format!("x{member}-{number}@maple.example")));
                        assert!([422, 429, 503].contains(&answer.status), "{}", answer.status);
                        if answer.status != 422 {
                            assert!(answer.header("retry-after").is_some(), "{}", answer.status);
                        }
                        busy.fetch_or(answer.status == 503, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        eventually_ok(PATIENCE, "the crowd to fill its share", || busy.load(Ordering::Relaxed).then_some(()).ok_or(()));
        let answers: Vec<_> = (0..4)
            .map(|number| {
                let mut browser = known.clone();
                browser.set_cookie("session", "");
                let other = house.portal.visitor().with("x-forwarded-for", &format!("203.0.113.{number}"));
                [(browser, "ana"), (other, "bea")]
                    .map(|(mut browser, who)| sign_in(&mut browser, &email(who), PASSWORD).status)
            })
            .collect();
        drop(ends);
        assert!(crowd.into_iter().all(|member| member.join().is_ok()));
        assert_eq!(answers, [[303; 2]; 4], "a known browser of the crowd's network, and one of another network");
    });
}

#[test]
fn a_crowd_of_forged_links_asks_the_api_server_nothing_to_speak_of_and_right_links_work_meanwhile() {
    let house = behind_a_proxy("links");
    let right = house.invited("ana");
    let (account, _) = right.strip_prefix("/invitations#").unwrap().split_once('.').unwrap();
    let nobody = |number: usize| format!("a-00000000-0000-4000-8000-{number:012}");
    let open = |link: &str, address: &str| house.portal.visitor().with("x-forwarded-for", address).get(link).status;
    let members: Vec<usize> = (0..20).collect();
    std::thread::scope(|scope| {
        let crowd: Vec<_> = members
            .iter()
            .map(|member| {
                scope.spawn(move || {
                    for number in 0..15 {
                        let number = member * 15 + number;
                        for named in [account, &nobody(number)] {
                            let link = format!("/invitations#{named}.{number:043}");
                            assert_eq!(open(&link, &format!("198.51.100.{member}")), 404);
                        }
                    }
                })
            })
            .collect();
        let opened: Vec<u16> = (0..20).map(|_| open(&right, "203.0.113.1")).collect();
        assert!(crowd.into_iter().all(|member| member.join().is_ok()));
        assert_eq!(opened, [200; 20]);
    });
    let reads = control_plane().audit(&house.world.namespace).into_iter();
    let reads = reads.filter(|read| read.user.contains("clinic-operator-portal") && read.verb == "get");
    let reads: Vec<_> =
        reads.filter(|read| ["clinicaccounts", "clinicusers"].contains(&read.resource.as_str())).collect();
    assert!(reads.iter().all(|read| [account, "ana"].contains(&read.name.as_str())), "of accounts that nobody knows");
    assert!(reads.len() < 60, "{} reads for 300 links to an account that there is", reads.len());
    // One address meets a wait of its own, whatever it names; right links go on there too.
    for (named, address) in [(account, "192.0.2.1"), (&nobody(0), "192.0.2.2")] {
        let mut visitor = house.portal.visitor().with("x-forwarded-for", address);
        let waits = (0..40).map(|number| visitor.get(&format!("/invitations#{named}.{number:043}")));
        let waits = waits.filter(|answer| answer.status == 429 && answer.header("retry-after").is_some()).count();
        assert!(waits > 0, "{named}");
        assert_eq!(open(&right, address), 200);
    }
}

#[test]
fn a_crowd_of_heads_without_a_body_keeps_nobody_out() {
    let house = House::new("heads");
    house.accepted("ana");
    // A few addresses could hold every connection that there may be.
    let held: Vec<_> = (2..7).flat_map(|last| slow_ones(house.portal.pages, last, 220)).collect();
    assert_eq!(held.len(), 1100);
    let begin = now();
    for _ in 0..10 {
        assert_eq!(house.portal.visitor().get("/sign-in").status, 200);
    }
    let took = begin.elapsed();
    assert!(torture() == 1 || took < Duration::from_secs(1), "{took:?} for ten pages");
    assert_eq!(sign_in(&mut house.portal.visitor(), &email("ana"), PASSWORD).status, 303);
    drop(held);
}

/// Connections from 127.0.0.x whose request never comes to its end.
fn slow_ones(port: u16, last: u8, count: usize) -> Vec<TcpStream> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
    let one = async || {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind(([127, 0, 0, last], 0).into()).expect("an address of this machine");
        let mut stream = socket.connect(([127, 0, 0, 1], port).into()).await.expect("the portal listens");
        let head = "POST /sign-in HTTP/1.1\r\nHost: x\r\nSec-Fetch-Site: same-origin\r\n\
                    Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 500\r\n\r\n";
        // It may be hung up on at once.
        let _ = stream.write_all(head.as_bytes()).await;
        stream.into_std().expect("a socket")
    };
    runtime.block_on(async {
        let mut all = Vec::new();
        for _ in 0..count {
            all.push(one().await);
        }
        all
    })
}
