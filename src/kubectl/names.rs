//! How people name a member on the command line, and whom they may have meant. No request.

use strsim::damerau_levenshtein;

use super::seen::{Member, MemberKind};
use crate::adapters::output::folded;

/// Names that are offered instead of one that nobody has.
const OFFERED: usize = 3;
/// Letters that may differ: one in so many.
const ONE_TYPO_IN: usize = 3;

/// `ana`, `clinicuser/ana`, `csa/referrals`. `None`: no name.
pub(super) fn parse(words: &str) -> Option<(Option<MemberKind>, &str)> {
    let (kind, name) = match words.split_once('/') {
        Some((kind, name)) => (Some(MemberKind::parse(kind)?), name),
        None => (None, words),
    };
    (!name.is_empty()).then_some((kind, name))
}

/// Whether an object can have this name. One that cannot leads to no request: it could be another path of the API.
pub(super) fn is_object_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'.' || byte == b'-';
    name.bytes().all(is_plain) && name.bytes().any(|byte| byte.is_ascii_alphanumeric())
}

/// Those whose `metadata.name` is like it, or whose name has it.
pub(super) fn nearest(name: &str, members: &[Member]) -> Vec<String> {
    let wanted = folded(name);
    let mut near: Vec<(usize, &str)> = members
        .iter()
        .filter_map(|member| {
            let distance = damerau_levenshtein(&wanted, member.name());
            let is_like = distance <= (wanted.chars().count() / ONE_TYPO_IN).max(1);
            let has_it = member.name().contains(&wanted)
                || member.shown_name().is_some_and(|shown| folded(shown).contains(&wanted));
            (is_like || has_it).then(|| (if is_like { distance } else { usize::MAX }, member.name()))
        })
        .collect();
    near.sort_unstable();
    near.dedup();
    near.into_iter().take(OFFERED).map(|(_, name)| name.to_owned()).collect()
}

/// Of these names those that are like it.
pub(super) fn nearest_of(name: &str, names: &[String]) -> Vec<String> {
    let wanted = folded(name);
    let most = (wanted.chars().count() / ONE_TYPO_IN).max(1);
    let mut near: Vec<(usize, &String)> = names
        .iter()
        .map(|other| (damerau_levenshtein(&wanted, other), other))
        .filter(|(distance, other)| *distance <= most || (!wanted.is_empty() && other.contains(&wanted)))
        .collect();
    near.sort_unstable();
    near.into_iter().take(OFFERED).map(|(_, name)| name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::ObjectMeta;

    use crate::api::clinic_user::{ListedMember, MemberStatus};

    fn member(name: &str, shown: &str) -> Member {
        let listed = ListedMember { name: Some(shown.to_owned()), ..ListedMember::default() };
        Member {
            kind: MemberKind::ClinicUser,
            metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
            email: None,
            status: MemberStatus { member: Some(listed), ..MemberStatus::default() },
        }
    }

    #[test]
    fn a_member_is_named_as_kubectl_names_objects() {
        for (words, expected) in [
            ("ana-silva", Some((None, "ana-silva"))),
            ("clinicuser/ana", Some((Some(MemberKind::ClinicUser), "ana"))),
            ("cu/ana", Some((Some(MemberKind::ClinicUser), "ana"))),
            ("clinicusers.clinic-operator.dev/ana", Some((Some(MemberKind::ClinicUser), "ana"))),
            ("csa/lab", Some((Some(MemberKind::ServiceAccount), "lab"))),
            ("serviceaccount.clinic-operator.dev/lab", Some((Some(MemberKind::ServiceAccount), "lab"))),
            ("Ana Silva", Some((None, "Ana Silva"))),
            ("serviceaccount/default", None),
            ("clinicuser/ana/status", Some((Some(MemberKind::ClinicUser), "ana/status"))),
            ("clinicuser/", None),
            ("", None),
        ] {
            assert_eq!(parse(words), expected, "{words}");
        }
        for name in ["ana/status", "..", "Ana Silva", "ana?watch=1", "", "ána"] {
            assert!(!is_object_name(name), "{name}");
        }
        assert!(is_object_name("ana-silva.2"));
    }

    #[test]
    fn a_mistyped_name_finds_those_like_it_and_a_persons_name_its_manifest() {
        let members =
            [member("ana-silva", "Ana Silva"), member("anna-silva", "Zoë Côté"), member("omar-haddad", "Omar Haddad")];
        for (name, expected) in [
            ("ana-slva", vec!["ana-silva", "anna-silva"]),
            ("omar", vec!["omar-haddad"]),
            ("Omar Haddad", vec!["omar-haddad"]),
            ("zoe cote", vec!["anna-silva"]),
            ("mei-chen", vec![]),
        ] {
            assert_eq!(nearest(name, &members), expected, "{name}");
        }
    }
}
