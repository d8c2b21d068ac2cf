//! A server that reads a whole request, and answers `ok`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Serves until the process ends.
pub(crate) fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || serve(stream));
        }
    });
    address
}

/// Requests one after the other, until the connection ends.
fn serve(mut stream: TcpStream) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut unread = Vec::new();
    let mut buffer = [0; 16384];
    loop {
        while let Some(length) = whole(&unread) {
            unread.drain(..length);
            stream.write_all(ANSWER).ok()?;
        }
        let count = stream.read(&mut buffer).ok().filter(|&count| count > 0)?;
        unread.extend_from_slice(&buffer[..count]);
    }
}

/// The length of the first request, if it is there.
fn whole(unread: &[u8]) -> Option<usize> {
    let head = unread.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&unread[..head]).unwrap();
    let mut fields = text.lines().filter_map(|line| line.split_once(": "));
    let length = fields.find(|(name, _)| *name == "content-length");
    let length = head + length.map_or(0, |(_, length)| length.parse::<usize>().unwrap());
    (unread.len() >= length).then_some(length)
}
