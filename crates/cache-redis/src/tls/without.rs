//! A build without the feature `tls`.

use tokio::net::TcpStream;

use super::Files;
use crate::fault::Fault;

/// There is none in this build.
#[derive(Clone)]
pub(crate) enum Tls {}

impl Tls {
    pub(crate) fn new(_: &str, _: &Files) -> Result<Self, String> {
        Err("this build has no TLS, the feature `tls` adds it".to_owned())
    }

    pub(crate) async fn ready(&self) -> Result<Ready, Fault> {
        match *self {}
    }
}

pub(crate) enum Ready {}

impl Ready {
    pub(crate) async fn over(self, _: TcpStream) -> Result<TcpStream, Fault> {
        match self {}
    }
}
