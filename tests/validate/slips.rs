//! The ten usual slips of `docs/members.md`: whoever makes one in the files of that page is told what the page says, and the right
//! line is right.

use std::fs;

use super::validate;

/// A row of the table: the right line, the wrong one, and what is said.
struct Slip {
    right: String,
    wrong: String,
    said: String,
}

fn slips(page: &str) -> Vec<Slip> {
    let rows = page
        .lines()
        .skip_while(|line| !line.starts_with("| Instead of |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| row.split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect::<Vec<_>>());
    cells.map(|cells| Slip { right: cells[1].clone(), wrong: cells[2].clone(), said: cells[3].clone() }).collect()
}

/// The first example of the page that has the line.
fn example<'a>(page: &'a str, line: &str) -> &'a str {
    let blocks = page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let mut with_it = blocks.filter(|block| block.lines().any(|other| other.trim() == line));
    with_it.next().unwrap_or_else(|| panic!("no example of the page has the line {line}"))
}

#[test]
fn whoever_makes_one_of_the_ten_slips_is_told_what_the_page_says() {
    let page = fs::read_to_string("docs/members.md").unwrap();
    let slips = slips(&page);
    assert_eq!(slips.len(), 10);
    for Slip { right, wrong, said } in slips {
        let example = example(&page, &right);
        let answer = validate(&["-"], example);
        assert_eq!(answer.code, 0, "{right}: {}{}", answer.out, answer.err);
        let answer = validate(&["-"], &example.replacen(&right, &wrong, 1));
        assert!(answer.code == 1 && answer.out.contains(&said), "{wrong}: {}{}", answer.out, answer.err);
        let line = example.lines().position(|line| line.trim() == right).unwrap() + 1;
        // A document that is no YAML may be found so a line later.
        let places = [line, line + 1].map(|line| format!("standard input:{line}:"));
        let is_there =
            answer.out.lines().any(|told| told.contains(&said) && places.iter().any(|place| told.starts_with(place)));
        assert!(is_there, "{wrong} is not told of line {line}: {}", answer.out);
    }
}

#[test]
fn every_example_of_the_page_is_right() {
    let page = fs::read_to_string("docs/members.md").unwrap();
    let blocks = page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let all = blocks.filter(|block| block.starts_with("apiVersion")).collect::<Vec<_>>().join("---\n");
    let answer = validate(&["--strict", "-"], &all.replacen("  name: omar-haddad", "  name: first", 1));
    assert_eq!(answer.code, 0, "{}{}", answer.out, answer.err);
}
