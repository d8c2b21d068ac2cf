//! Nginx's `limit_req … burst=B nodelay` beside the filter: one schedule, the same decisions one by one.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep_until};

use super::course::Course;
use crate::harness::bootstrap::Bootstrap;
use crate::harness::nginx::Nginx;
use crate::harness::raw::{RawConnection, get_bytes};
use crate::harness::{Fixture, Site};

/// How often a course is run that the machine was too busy for.
const ATTEMPTS: usize = 20;
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
        ("100/m", 20),
    ];
    let seeds = 1..;
    drawn
        .into_iter()
        .zip(seeds)
        .map(|((rate, burst), seed)| Course::drawn(rate, burst, LENGTH, seed))
        .collect()
}

/// The user whose budget this attempt spends.
fn user(number: usize, attempt: usize) -> String {
    format!("attempt-{attempt}@course-{number}.example")
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

/// Each course has a zone of its own, whose key is the subject of the client's certificate.
async fn nginx(site: &Site, courses: &[Course]) -> Nginx {
    let mut http = "limit_req_status 429;".to_owned();
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

    /// Which requests each let pass; nothing if the machine was too busy to ask in time.
    async fn run(&mut self, course: &Course, path: &str) -> Option<[Vec<bool>; 2]> {
        let start = Instant::now();
        let mut passed = [Vec::new(), Vec::new()];
        for visit in &course.visits {
            sleep_until(start + visit.at()).await;
            let (nginx, envoy) = tokio::join!(
                ask(&mut self.nginx, path, visit.requests),
                ask(&mut self.envoy, path, visit.requests),
            );
            if Instant::now() > start + visit.at() + course.lateness() {
                return None;
            }
            passed[0].extend(nginx);
            passed[1].extend(envoy);
        }
        Some(passed)
    }
}

/// One after the other, as fast as it goes.
async fn ask(connection: &mut RawConnection, path: &str, requests: usize) -> Vec<bool> {
    let request = get_bytes(path, [] as [&str; 0]);
    let mut passed = Vec::new();
    for _ in 0..requests {
        let answer = connection.exchange(&request).await.unwrap();
        assert!(matches!(answer.status, 200 | 429), "{answer:?}");
        passed.push(answer.status == 200);
    }
    passed
}

async fn compare(nginx: &Nginx, site: &Site, number: usize, course: &Course) {
    for attempt in 0..ATTEMPTS {
        let mut both = Both::connect(nginx, site, &user(number, attempt)).await;
        let path = format!("/{number}");
        if let Some([nginx, envoy]) = both.run(course, &path).await {
            assert_eq!(nginx, course.expected, "Nginx: {course:?}");
            assert_eq!(envoy, course.expected, "the filter: {course:?}");
            return;
        }
        println!("too busy for {path}, attempt {attempt}");
    }
    panic!("{ATTEMPTS} times the machine was too busy for {course:?}");
}

#[tokio::test]
async fn every_decision_is_that_of_nginx_on_the_same_schedule() {
    let courses = courses();
    for Course {
        visits,
        expected,
        burst,
        ..
    } in &courses
    {
        let later = &expected[burst + 4..];
        assert!(visits.len() >= 6, "{visits:?}");
        assert!(
            later.contains(&true) && later.contains(&false),
            "{visits:?}"
        );
    }
    let site = envoy(&courses).await;
    let nginx = nginx(&site, &courses).await;
    let running = courses.iter().enumerate();
    let running = running.map(|(number, course)| compare(&nginx, &site, number, course));
    futures_util::future::join_all(running).await;
}
