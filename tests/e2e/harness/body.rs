//! A body that is sent as the test writes it.

use futures_util::StreamExt;
use futures_util::stream::poll_fn;
use http_body_util::{BodyExt, StreamBody};
use hyper::HeaderMap;
use hyper::body::{Bytes, Frame};
use tokio::sync::mpsc::{self, error::SendError};

use super::client::Body;

/// Writes a body. The body ends when this is dropped.
pub(crate) struct BodySender(mpsc::Sender<Frame<Bytes>>);

impl BodySender {
    /// Writes some bytes; an error if nobody reads them any more.
    pub(crate) async fn send_data(&mut self, data: Bytes) -> Result<(), SendError<Frame<Bytes>>> {
        self.0.send(Frame::data(data)).await
    }

    /// Writes the trailers.
    pub(crate) async fn send_trailers(
        &mut self,
        trailers: HeaderMap,
    ) -> Result<(), SendError<Frame<Bytes>>> {
        self.0.send(Frame::trailers(trailers)).await
    }
}

/// A body, and what writes it.
///
/// With `Channel` of http-body-util a body can end before its last piece: when another thread writes that piece and drops
/// the writer between two looks of the reader.
pub(crate) fn streamed() -> (BodySender, Body) {
    let (sender, mut receiver) = mpsc::channel(1);
    let frames = poll_fn(move |context| receiver.poll_recv(context)).map(Ok);
    (BodySender(sender), BodyExt::boxed(StreamBody::new(frames)))
}
