//! Reads a page's markup as strictly as it is written: every tag closed in its turn, every value quoted. Never here: what a page
//! should say.

use std::collections::BTreeMap;

/// Elements without an end (WHATWG HTML 13.1.2, void elements) that our pages use.
const VOID: [&str; 5] = ["meta", "link", "input", "img", "br"];

/// A start tag.
#[derive(Debug)]
pub(crate) struct Tag {
    pub(crate) name: String,
    /// Values as a browser reads them.
    pub(crate) attributes: BTreeMap<String, String>,
}

/// A page, taken apart.
#[derive(Debug, Default)]
pub(crate) struct Markup {
    pub(crate) tags: Vec<Tag>,
    /// Everything between tags.
    pub(crate) text: String,
    /// What a reader of markup stumbles over.
    pub(crate) wrong: Vec<String>,
}

impl Markup {
    pub(crate) fn read(html: &str) -> Self {
        let mut markup = Self::default();
        let Some(rest) = html.strip_prefix("<!DOCTYPE html>\n") else {
            markup.wrong.push("it does not begin with its doctype".to_owned());
            return markup;
        };
        let mut open: Vec<String> = Vec::new();
        let mut rest = rest;
        while let Some((text, tag)) = rest.split_once('<') {
            markup.text.push_str(&unescaped(text, &mut markup.wrong));
            let Some((tag, after)) = tag.split_once('>') else {
                markup.wrong.push(format!("a tag without an end: {tag:?}"));
                return markup;
            };
            rest = after;
            if let Some(name) = tag.strip_prefix('/') {
                if open.pop().as_deref() != Some(name) {
                    markup.wrong.push(format!("</{name}> ends nothing that is open, or not the last"));
                }
                continue;
            }
            let tag = tag_of(tag, &mut markup.wrong);
            if !VOID.contains(&tag.name.as_str()) {
                open.push(tag.name.clone());
            }
            markup.tags.push(tag);
        }
        markup.text.push_str(&unescaped(rest, &mut markup.wrong));
        if !open.is_empty() {
            markup.wrong.push(format!("never closed: {open:?}"));
        }
        markup
    }

    pub(crate) fn of(&self, name: &str) -> Vec<&Tag> {
        self.tags.iter().filter(|tag| tag.name == name).collect()
    }

    pub(crate) fn values(&self, attribute: &str) -> Vec<&str> {
        self.tags.iter().filter_map(|tag| tag.get(attribute)).collect()
    }
}

impl Tag {
    pub(crate) fn get(&self, attribute: &str) -> Option<&str> {
        self.attributes.get(attribute).map(String::as_str)
    }
}

/// `name attribute="value" attribute`, no other form.
fn tag_of(tag: &str, wrong: &mut Vec<String>) -> Tag {
    let name: String = tag.chars().take_while(char::is_ascii_alphanumeric).collect();
    let mut attributes = BTreeMap::new();
    let mut rest = tag[name.len()..].trim_start();
    while !rest.is_empty() {
        let attribute: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect();
        rest = &rest[attribute.len()..];
        let mut value = "";
        if let Some(quoted) = rest.strip_prefix("=\"") {
            let Some((found, after)) = quoted.split_once('"') else {
                wrong.push(format!("a value without an end: {tag:?}"));
                break;
            };
            (value, rest) = (found, after);
        }
        if attribute.is_empty() || !(rest.is_empty() || rest.starts_with(' ')) {
            wrong.push(format!("not plain attributes: {tag:?}"));
            break;
        }
        rest = rest.trim_start();
        if attributes.insert(attribute, unescaped(value, wrong)).is_some() {
            wrong.push(format!("an attribute twice: {tag:?}"));
        }
    }
    Tag { name, attributes }
}

/// Only what has to be escaped is, in the five ways that our pages do it.
fn unescaped(text: &str, wrong: &mut Vec<String>) -> String {
    let plain = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#x27;", "'"), ("&#x2f;", "/")]
        .iter()
        .fold(text.to_owned(), |text, (escape, character)| text.replace(escape, character));
    if plain.replace("&amp;", "").contains('&') {
        wrong.push(format!("a bare ampersand: {text:?}"));
    }
    plain.replace("&amp;", "&")
}
