//! From the document to a filter that can be run, or to all that is wrong with its values.

mod authorization;
mod builder;
mod certificates;
mod configuration;
mod identity;
mod limits;
mod values;
