//! Envoy's rate limit protocol in front of Limitador, whose counters are in Redis: a service as
//! `envoy/cluster-limit` needs one, for the tests.
//!
//! `limit-service REDIS LIMITS` with a URL (`redis+unix:///…`) and Limitador's limits as JSON. It listens on a free
//! port of the loopback interface, and prints its address.

mod messages;

use std::collections::HashMap;
use std::convert::Infallible;
use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use limitador::AsyncRateLimiter;
use limitador::limit::Limit;
use limitador::storage::redis::AsyncRedisStorage;
use tokio::net::{TcpListener, TcpStream};
use tonic::Status;
use tonic::body::Body;
use tonic::server::{Grpc, UnaryService};
use tonic_prost::ProstCodec;

use messages::{Code, RateLimitRequest, RateLimitResponse};

const SHOULD_RATE_LIMIT: &str = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(redis), Some(limits), None) = (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err("usage: limit-service REDIS LIMITS".into());
    };
    let limits: Vec<Limit> = serde_json::from_str(&limits)?;
    let storage = AsyncRedisStorage::new(&redis).await?;
    let limiter = AsyncRateLimiter::new_with_storage(Box::new(storage));
    limiter.configure_with(limits).await?;
    serve(Arc::new(limiter)).await
}

async fn serve(limiter: Arc<AsyncRateLimiter>) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(converse(stream, limiter.clone()));
    }
}

async fn converse(stream: TcpStream, limiter: Arc<AsyncRateLimiter>) {
    let answering = service_fn(|request| answer(request, limiter.clone()));
    let server = http2::Builder::new(TokioExecutor::new());
    // An Envoy that goes away is no failure of the service.
    let _ = server
        .serve_connection(TokioIo::new(stream), answering)
        .await;
}

async fn answer(
    request: Request<Incoming>,
    limiter: Arc<AsyncRateLimiter>,
) -> Result<Response<Body>, Infallible> {
    if request.uri().path() != SHOULD_RATE_LIMIT {
        return Ok(Status::unimplemented("there is ShouldRateLimit only").into_http());
    }
    let mut grpc = Grpc::new(ProstCodec::default());
    Ok(grpc.unary(ShouldRateLimit(limiter), request).await)
}

struct ShouldRateLimit(Arc<AsyncRateLimiter>);

impl UnaryService<RateLimitRequest> for ShouldRateLimit {
    type Response = RateLimitResponse;
    type Future =
        Pin<Box<dyn Future<Output = Result<tonic::Response<RateLimitResponse>, Status>> + Send>>;

    fn call(&mut self, request: tonic::Request<RateLimitRequest>) -> Self::Future {
        let limiter = self.0.clone();
        Box::pin(async move {
            let code = decide(&limiter, request.into_inner()).await?;
            Ok(tonic::Response::new(RateLimitResponse {
                overall_code: code.into(),
            }))
        })
    }
}

/// As Limitador's own server does it, also where Redis does not answer.
async fn decide(limiter: &AsyncRateLimiter, request: RateLimitRequest) -> Result<Code, Status> {
    let entries = request.descriptors.into_iter().flat_map(|it| it.entries);
    let values: HashMap<_, _> = entries.map(|entry| (entry.key, entry.value)).collect();
    let hits = i64::from(request.hits_addend.max(1));
    let domain = request.domain.into();
    let checked = limiter.check_rate_limited_and_update(&domain, &values, hits, false);
    match checked.await {
        Ok(result) if result.limited => Ok(Code::OverLimit),
        Ok(_) => Ok(Code::Ok),
        Err(error) => {
            eprintln!("{error}");
            Err(Status::unavailable("the storage does not answer"))
        }
    }
}
