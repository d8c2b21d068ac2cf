//! HTTP/1.1 byte by byte: names in any case, underscores, repetitions, bytes above 0x7f, trailers.

use std::io;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::answer::Answer;
use super::client::{Client, Refused, in_time};

/// The bytes of a GET with these header lines, each without its line end.
pub(crate) fn get_bytes<L: AsRef<[u8]>>(path: &str, lines: impl IntoIterator<Item = L>) -> Vec<u8> {
    let mut request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n").into_bytes();
    for line in lines {
        request.extend_from_slice(line.as_ref());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    request
}

/// The same for the opening of a WebSocket, but for the `Connection` line, which must say `upgrade`.
pub(crate) fn upgrade_bytes<'a>(path: &str, lines: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
    let upgrade = [
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    get_bytes(path, upgrade.into_iter().chain(lines))
}

/// The bytes of a POST whose body is one chunk, with these trailer lines behind it.
pub(crate) fn post_with_trailers(path: &str, trailers: &[String]) -> Vec<u8> {
    let head =
        format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    format!("{head}4\r\nbody\r\n0\r\n{}\r\n\r\n", trailers.join("\r\n")).into_bytes()
}

/// A kept TLS connection on which the test writes the bytes itself.
pub(crate) struct RawConnection {
    stream: TlsStream<TcpStream>,
    unread: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect_raw(&self) -> Result<RawConnection, Refused> {
        Ok(RawConnection {
            stream: self.handshake().await?,
            unread: Vec::new(),
        })
    }

    /// One request on a connection of its own.
    pub(crate) async fn raw(&self, request: &[u8]) -> Result<Answer, Refused> {
        self.connect_raw().await?.exchange(request).await
    }
}

impl RawConnection {
    /// Writes a request, reads its answer.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Answer, Refused> {
        in_time(async {
            // The answer may come before the request is through, and the connection may close then.
            let written = self.stream.write_all(request).await;
            self.answer().await.or_else(|error| written.and(Err(error)))
        })
        .await
    }

    /// Writes a part of a request.
    pub(crate) async fn write(&mut self, part: &[u8]) -> Result<(), Refused> {
        in_time(self.stream.write_all(part)).await
    }

    /// Reads the answer to a request that is written.
    pub(crate) async fn read(&mut self) -> Result<Answer, Refused> {
        in_time(self.answer()).await
    }

    async fn answer(&mut self) -> io::Result<Answer> {
        let status_line = self.line().await?;
        let status = status_line
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| invalid(&status_line))?;
        let headers = self.fields().await?;
        let chunked = headers.contains_key("transfer-encoding");
        let length = headers.get("content-length");
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        let mut trailers = HeaderMap::new();
        let body = match length {
            _ if chunked => {
                let body = self.chunks().await?;
                trailers = self.fields().await?;
                body
            }
            length => self.take(length.unwrap_or(0)).await?,
        };
        Ok(Answer {
            status,
            headers,
            body: body.into(),
            trailers,
        })
    }

    async fn fields(&mut self) -> io::Result<HeaderMap> {
        let mut fields = HeaderMap::new();
        loop {
            let line = self.line().await?;
            let Some((name, value)) = line.split_once(':') else {
                return Ok(fields);
            };
            let name = HeaderName::try_from(name).map_err(invalid)?;
            let value = HeaderValue::try_from(value.trim()).map_err(invalid)?;
            fields.append(name, value);
        }
    }

    async fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = self.line().await?;
            let size = usize::from_str_radix(&size, 16).map_err(invalid)?;
            if size == 0 {
                return Ok(body);
            }
            body.extend(self.take(size).await?);
            self.line().await?;
        }
    }

    /// Up to the next CRLF, which is dropped.
    async fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.unread.windows(2).position(|two| two == b"\r\n") {
                let line = self.take(end + 2).await?;
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            self.more().await?;
        }
    }

    async fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.unread.len() < length {
            self.more().await?;
        }
        Ok(self.unread.drain(..length).collect())
    }

    async fn more(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.unread).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

fn invalid(reason: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.to_string())
}
