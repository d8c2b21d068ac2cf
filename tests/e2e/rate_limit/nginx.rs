//! Nginx's `limit_req … burst=B nodelay` beside the filter: one schedule, the same decisions one by one.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep_until};

use super::course::{Course, Estimate, Seen};
use crate::harness::bootstrap::Bootstrap;
use crate::harness::nginx::Nginx;
use crate::harness::raw::{RawConnection, get_bytes};
use crate::harness::{Fixture, Site};

/// What Nginx's counting in milliseconds can make of a time, in microseconds.
const ROUNDING: i64 = 3_000;
const LENGTH: Duration = Duration::from_secs(5);

fn courses() -> Vec<Course> {
    let drawn = [
        ("2/s", 20),
        ("2/s", 0),
        ("3/s", 1),
        ("4/s", 3),
        ("4/s", 20),
        ("5/s", 2),
        ("150/m", 5),
        ("90/m", 20),
    ];
    let seeds = 1..;
    drawn
        .into_iter()
        .zip(seeds)
        .map(|((rate, burst), seed)| Course::drawn(rate, burst, LENGTH, seed))
        .collect()
}

/// The user whose budget a course spends.
fn user(number: usize) -> String {
    format!("user@course-{number}.example")
}

async fn envoy(courses: &[Course]) -> Site {
    let limits = courses.iter().enumerate().map(|(number, course)| {
        let quota = json!({"rate": course.rate, "burst": course.burst});
        (format!("*@course-{number}.example"), quota)
    });
    let limits: Map<String, Value> = limits.collect();
    Fixture::new()
        .plugin(json!({"rate_limit": {"identities": limits}}))
        .edit(Bootstrap::answer_directly)
        .start()
        .await
}

/// Each course has a zone of its own, whose key is the subject of the client's certificate. Each answer says at which time
/// it was decided: Nginx keeps one for all that it does between two waits.
async fn nginx(site: &Site, courses: &[Course]) -> Nginx {
    let mut http = "limit_req_status 429; add_header x-time $msec always;".to_owned();
    let mut server = String::new();
    for (number, Course { rate, burst, .. }) in courses.iter().enumerate() {
        let rate = rate.replace('/', "r/");
        http += &format!("limit_req_zone $ssl_client_s_dn zone=z{number}:1m rate={rate};");
        let burst = match burst {
            0 => String::new(),
            burst => format!("burst={burst} nodelay"),
        };
        server += &format!(
            "location = /{number} {{ limit_req zone=z{number} {burst}; try_files /ok =404; }}"
        );
    }
    Nginx::start(&site.authority, &http, &server).await
}

/// A user's connections to both.
struct Both {
    nginx: RawConnection,
    envoy: RawConnection,
}

impl Both {
    async fn connect(nginx: &Nginx, site: &Site, user: &str) -> Self {
        let credentials = site.authority.client(user);
        let nginx = nginx.client_with(&site.authority, &credentials);
        Self {
            nginx: nginx.connect_raw().await.unwrap(),
            envoy: site.client_with(&credentials).connect_raw().await.unwrap(),
        }
    }

    /// How each decided the requests of a course.
    async fn run(&mut self, course: &Course, path: &str) -> [Vec<Seen>; 2] {
        let start = Instant::now();
        let mut seen = [Vec::new(), Vec::new()];
        for visit in &course.visits {
            sleep_until(start + visit.at).await;
            let (nginx, envoy) = tokio::join!(
                ask(&mut self.nginx, path, visit.requests),
                ask(&mut self.envoy, path, visit.requests),
            );
            seen[0].extend(nginx);
            seen[1].extend(envoy);
        }
        seen
    }
}

/// One after the other, as fast as it goes.
async fn ask(connection: &mut RawConnection, path: &str, requests: usize) -> Vec<Seen> {
    let request = get_bytes(path, [] as [&str; 0]);
    let mut seen = Vec::new();
    for _ in 0..requests {
        let sent = now();
        let answer = connection.exchange(&request).await.unwrap();
        assert!(matches!(answer.status, 200 | 429), "{answer:?}");
        let said = answer.header("x-time");
        let decided = match said.first() {
            Some(seconds) => {
                let millis: i64 = seconds.replace('.', "").parse().unwrap();
                (millis * 1000 - ROUNDING, millis * 1000 + ROUNDING)
            }
            None => (sent, now()),
        };
        let passed = answer.status == 200;
        seen.push(Seen { decided, passed });
    }
    seen
}

/// The wall clock, which the filter and Nginx ask as well.
fn now() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    since.as_micros().try_into().unwrap()
}

/// Both answer as the algorithm does. How many requests there were, and how many answers of each had to be so, whenever
/// within its time a request was decided: the busier the machine, the fewer of the filter's, which does not say when.
async fn compare(nginx: &Nginx, site: &Site, number: usize, course: &Course) -> [usize; 3] {
    let mut both = Both::connect(nginx, site, &user(number)).await;
    let [nginx, envoy] = both.run(course, &format!("/{number}")).await;
    [
        nginx.len(),
        certain("Nginx", &nginx, course),
        certain("the filter", &envoy, course),
    ]
}

/// How many of these answers had to be so; none is wrong.
fn certain(name: &str, seen: &[Seen], course: &Course) -> usize {
    let mut estimate = Estimate::new(course);
    let taken = seen.iter().map(|&seen| {
        let certain = estimate.take(seen);
        certain.unwrap_or_else(|wrong| panic!("{name}: {wrong} in {course:?}"))
    });
    taken.filter(|certain| *certain).count()
}

#[tokio::test]
async fn every_decision_is_that_of_nginx_on_the_same_schedule() {
    let courses = courses();
    let site = envoy(&courses).await;
    let nginx = nginx(&site, &courses).await;
    let running = courses.iter().enumerate();
    let running = running.map(|(number, course)| compare(&nginx, &site, number, course));
    for [requests, nginx, envoy] in futures_util::future::join_all(running).await {
        println!(
            "of {requests} answers {nginx} of Nginx's and {envoy} of the filter's were certain"
        );
        assert!(nginx * 2 > requests);
    }
}
