//! The table of what each row adds, and the ratios that count.

use std::fmt::Write;

/// What a request costs in a row.
pub(crate) struct Cost {
    name: String,
    /// Of each process of the row, in nanoseconds.
    processes: Vec<f64>,
}

impl Cost {
    /// A row of which no process has run yet.
    pub(crate) fn of(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            processes: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, nanoseconds: f64) {
        self.processes.push(nanoseconds);
        self.processes.sort_by(f64::total_cmp);
    }

    /// Of the middle one.
    fn nanoseconds(&self) -> f64 {
        self.processes[self.processes.len() / 2]
    }
}

/// The rows with a POST, and the one of them that has no filter.
const POSTS: [&str; 2] = ["full_post", "mcp"];
const NONE_POST: &str = "none_post";

/// All rows; the first has no filter.
pub(crate) struct Table {
    costs: Vec<Cost>,
}

/// Of whom the ratio to whom is told.
const RATIOS: [(&str, &str); 7] = [
    ("default", "lua_guide"),
    ("full", "lua_full"),
    ("full", "envoy_native"),
    ("full_logged", "lua_full_logged"),
    ("full_logged", "envoy_native_logged"),
    ("upstream_last_word", "upstream_default"),
    ("mcp", "full_post"),
];

impl Table {
    pub(crate) fn of(costs: Vec<Cost>) -> Self {
        Self { costs }
    }

    /// The microseconds that each row but the first adds to a request, over the same request without a filter.
    pub(crate) fn added(&self) -> impl Iterator<Item = (&str, f64)> {
        let costs = self.costs.iter().skip(1);
        costs.map(|cost| {
            let none = self.without_filter(&cost.name);
            (cost.name.as_str(), (cost.nanoseconds() - none) / 1000.0)
        })
    }

    /// What the same request costs without a filter, in nanoseconds.
    fn without_filter(&self, name: &str) -> f64 {
        let mut costs = self.costs.iter();
        let post = costs.find(|cost| POSTS.contains(&name) && cost.name == NONE_POST);
        post.unwrap_or(&self.costs[0]).nanoseconds()
    }

    /// What a request of a row costs in all, in nanoseconds.
    fn cost(&self, name: &str) -> Option<f64> {
        let row = self.costs.iter().find(|cost| cost.name == name);
        row.map(Cost::nanoseconds)
    }

    fn added_by(&self, name: &str) -> Option<f64> {
        self.added()
            .find(|(row, _)| *row == name)
            .map(|(_, added)| added)
    }

    /// For the README.
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::from("| filters | µs of CPU added to a request |\n|---|---|\n");
        for (name, added) in self.added() {
            writeln!(text, "| `{name}` | {added:.1} |").unwrap();
        }
        let none = self.costs[0].nanoseconds() / 1000.0;
        writeln!(text, "\nWithout a filter a request takes {none:.1} µs.").unwrap();
        if let (Some(usual), Some(dearest)) =
            (self.cost("rules_1000"), self.cost("rules_1000_dearest"))
        {
            let times = dearest / usual;
            writeln!(
                text,
                "Under 1,000 rules the dearest request costs {times:.1} times the usual one."
            )
            .unwrap();
        }
        text.push_str("\n| ratio | |\n|---|---|\n");
        for (ours, theirs) in RATIOS {
            if let (Some(us), Some(them)) = (self.added_by(ours), self.added_by(theirs)) {
                writeln!(text, "| `{ours}` / `{theirs}` | {:.2} |", us / them).unwrap();
            }
        }
        text
    }
}
