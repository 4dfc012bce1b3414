//! Rules about a text that say only which patterns it matches: most are such. Asked without CEL, which would take most of the time
//! of a check. A rule that says anything else never comes here.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use kube::core::cel::cel::IdedExpr;
use kube::core::cel::cel::common::ast::{CallExpr, Expr, LiteralValue, operators};
use regex::Regex;

/// What such a rule says.
pub(super) enum Patterns {
    Matches(Arc<Regex>),
    Not(Box<Patterns>),
    Both(Box<Patterns>, Box<Patterns>),
    Either(Box<Patterns>, Box<Patterns>),
}

impl Patterns {
    /// `None`: the rule says something else.
    pub(super) fn of(rule: &IdedExpr) -> Option<Self> {
        let CallExpr { func_name, target, args } = call(rule)?;
        let boxed = |rule| Self::of(rule).map(Box::new);
        match (func_name.as_str(), target.as_deref(), args.as_slice()) {
            ("matches", Some(target), [pattern]) if is_self(target) => compiled(text(pattern)?).ok().map(Self::Matches),
            (operators::LOGICAL_NOT, None, [rule]) => Some(Self::Not(boxed(rule)?)),
            (operators::LOGICAL_AND, None, [one, other]) => Some(Self::Both(boxed(one)?, boxed(other)?)),
            (operators::LOGICAL_OR, None, [one, other]) => Some(Self::Either(boxed(one)?, boxed(other)?)),
            (_, _, _) => None,
        }
    }

    /// Whether a text is as the rule says.
    pub(super) fn hold(&self, text: &str) -> bool {
        match self {
            Self::Matches(pattern) => pattern.is_match(text),
            Self::Not(rule) => !rule.hold(text),
            Self::Both(one, other) => one.hold(text) && other.hold(text),
            Self::Either(one, other) => one.hold(text) || other.hold(text),
        }
    }
}

/// A pattern, which many rules share and each thread compiles once.
pub(super) fn compiled(pattern: &str) -> Result<Arc<Regex>, regex::Error> {
    thread_local! {
        static COMPILED: RefCell<HashMap<String, Arc<Regex>>> = RefCell::default();
    }
    COMPILED.with_borrow_mut(|compiled| {
        if let Some(regex) = compiled.get(pattern) {
            return Ok(Arc::clone(regex));
        }
        let regex = Arc::new(Regex::new(pattern)?);
        compiled.insert(pattern.to_owned(), Arc::clone(&regex));
        Ok(regex)
    })
}

fn call(rule: &IdedExpr) -> Option<&CallExpr> {
    if let Expr::Call(call) = &rule.expr { Some(call) } else { None }
}

fn is_self(expression: &IdedExpr) -> bool {
    matches!(&expression.expr, Expr::Ident(name) if name == "self")
}

fn text(expression: &IdedExpr) -> Option<&str> {
    if let Expr::Literal(LiteralValue::String(text)) = &expression.expr { Some(text.inner()) } else { None }
}
