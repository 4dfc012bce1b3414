//! clinic-operator: the accounts of a medical clinic, managed declaratively. The layers, from the bottom: `domain` (rules),
//! `api` (resources), `adapters` (the outside), `controller`, `portal`, `kubectl` (the shells). Imports go down only.

pub mod adapters;
pub mod api;
pub mod cli;
pub mod config;
pub mod controller;
pub mod domain;
pub mod kubectl;
pub mod logging;
pub mod portal;
pub mod review;
