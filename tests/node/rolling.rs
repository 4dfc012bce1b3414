//! Pods that are replaced while people sign in and members are invited.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::clinic::{Clinic, sign_in, staff};
use crate::node::among_others;

/// People who sign in one after the other, at the same time.
const AT_ONCE: usize = 3;
/// Invited meanwhile.
const INVITED: usize = 8;

#[test]
fn while_all_pods_are_replaced_nobody_is_refused_and_nobody_is_mailed_twice() {
    let _others = among_others();
    let clinic = Clinic::installed("maple");
    clinic.accepted("ana");
    let over = AtomicBool::new(false);
    let (asked, refused) = std::thread::scope(|scope| {
        let people: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let visitor = clinic.visitor();
                scope.spawn(|| {
                    let (mut asked, mut refused) = (0, Vec::new());
                    let first = visitor;
                    while !over.load(Ordering::Relaxed) {
                        asked += 1;
                        refused.extend(sign_in(&mut first.clone(), "ana").err());
                    }
                    (asked, refused)
                })
            })
            .collect();
        for part in ["portal", "controller"] {
            clinic.kubectl(&["rollout", "restart", "deployment", &clinic.part(part)]);
        }
        for one in 0..INVITED {
            clinic.apply(&staff(&format!("new-{one}")));
        }
        for part in ["portal", "controller"] {
            clinic.kubectl(&["rollout", "status", "deployment", &clinic.part(part), "--timeout", "120s"]);
        }
        // Until the last of the old ones is gone.
        for part in ["portal", "controller"] {
            crate::support::wait::eventually_ok(crate::node::LONG, "two pods", || {
                let pods = clinic.pods(part);
                if pods.len() == 2 { Ok(()) } else { Err(pods) }
            });
        }
        over.store(true, Ordering::Relaxed);
        let results: Vec<(usize, Vec<String>)> = people.into_iter().map(|one| one.join().unwrap()).collect();
        (results.iter().map(|one| one.0).sum::<usize>(), results.into_iter().flat_map(|one| one.1).collect::<Vec<_>>())
    });
    println!("{} of {asked} sign-ins were refused while all pods were replaced", refused.len());
    assert!(asked > 0 && refused.is_empty(), "{} of {asked}: {refused:#?}", refused.len());
    for one in 0..INVITED {
        let name = format!("new-{one}");
        clinic.member_in("Invited", &name);
        assert_eq!(clinic.mails_to(&name).len(), 1, "{name}");
    }
}
