//! Whose words make up a password, and whose only stand in it.

use super::*;
use proptest::prelude::*;

fn own(first_name: &str, last_name: &str, email: &str, clinic: &str) -> OwnWords {
    OwnWords::new(first_name, last_name, &Email::parse(email).unwrap(), clinic)
}

fn is_made_up(own: &OwnWords, password: &str) -> bool {
    own.make_up(&letters(password).collect::<String>())
}

#[test]
fn a_password_of_nothing_but_own_words_digits_and_punctuation_is_known_in_any_spelling() {
    let zoe = own("Zoë-Anne", "d'Été", "z.ete@coeur.example", "Clinique du Cœur");
    let grace = own("Grace", "O'Connor", "grace.oconnor+work@maple-clinic.example", "Maple Family Clinic");
    let li = own("李", "小明", "li@river.example", "河畔");
    let soren = own("Søren", "Łukaszewicz", "soren@groß.example".replace('ß', "ss").as_str(), "Klinik Groß");
    let bo = own("Bo", "Li", "b1@xy.example", "");
    for (who, password, expected) in [
        (&zoe, "Zoë-Anne d'Été 2027", true),
        (&zoe, "ZOE ANNE D’ETE!!", true),
        (&zoe, "zoeannedete1984", true),
        (&zoe, "Zoe\u{308}-Anne d'E\u{301}te\u{301}", true),
        (&zoe, "anne.zoe.anne.123", true),
        (&zoe, "Clinique du Coeur 7", true),
        (&zoe, "œuvre de Zoë-Anne", false),
        (&zoe, "Anne d'Avril 2027", false),
        (&grace, "O'Connor O'Connor 1", true),
        (&grace, "OCONNORconnor", true),
        (&grace, "grace.oconnor+work", true),
        (&grace, "Grace@maple-clinic", true),
        (&grace, "gr4ace maple family", true),
        (&grace, "clinicexample", true),
        (&grace, "saving grace", false),
        (&grace, "gracefully", false),
        (&grace, "Grace of maple", false),
        (&grace, "", false),
        (&grace, "20270714-1984", false),
        (&li, "李小明 2027!", true),
        (&li, "小明李", true),
        (&li, "李 2027", false),
        (&li, "李小明河畔", false),
        (&li, "river李小明", true),
        (&soren, "SOREN lukaszewicz", true),
        (&soren, "Søren Łukaszewicz", true),
        (&soren, "klinik gross 24", true),
        (&soren, "KLINIK GROẞ 24", true),
        (&bo, "BoLi 1234", true),
        (&bo, "li-bo!", true),
        (&bo, "bo bo bo bo", false),
        (&bo, "xy", false),
    ] {
        assert_eq!(is_made_up(who, password), expected, "{password}");
    }
}

#[test]
fn nobody_knows_a_word_of_somebody_without_words() {
    assert!(!is_made_up(&OwnWords::default(), ""));
    assert!(!is_made_up(&OwnWords::default(), "herons"));
}

#[test]
fn own_words_do_not_show_in_debug_output() {
    let shown = format!("{:?}", own("Canary", "Canary", "canary@canary.example", "Canary"));
    assert!(!shown.to_lowercase().contains("canary"), "{shown}");
}

proptest! {
    #[test]
    fn any_names_and_any_password_get_an_answer_and_names_alone_are_known(
        first in proptest::collection::vec(any::<char>(), 0..12).prop_map(String::from_iter),
        last in proptest::collection::vec(any::<char>(), 0..12).prop_map(String::from_iter),
    ) {
        let words = own(&first, &last, "ana@maple.example", &last);
        let password = format!("{first} {last} 2027");
        let count = letters(&password).count();
        prop_assert!(is_made_up(&words, &password) || count < SHORTEST, "{:?}", password);
        let others = format!("{password} quixotic");
        prop_assert!(!is_made_up(&words, &others), "{:?}", others);
    }
}
