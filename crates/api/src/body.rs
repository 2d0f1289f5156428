//! Reading the body of a request into memory that wipes itself.

use std::pin::Pin;

use bytes::{Buf as _, Bytes};
use donjon_domain::ports::BoxError;
use http::StatusCode;
use http_body::Body;
use http_body_util::BodyExt as _;
use zeroize::Zeroizing;

use crate::problem::Problem;

/// The body of a request, whoever receives it. `Sync`, because a request that
/// holds it is borrowed across awaits on threads that change.
pub(crate) type RequestBody<'a> =
    Pin<&'a mut (dyn Body<Data = Bytes, Error = BoxError> + Send + Sync)>;

/// Reads at most `bytes_max` bytes; what is beyond is left unread.
pub(crate) async fn read(
    mut body: RequestBody<'_>,
    bytes_max: usize,
) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let upper = body
        .size_hint()
        .upper()
        .and_then(|bytes| usize::try_from(bytes).ok());
    // Enough room from the start, for a vector that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(
        upper.map_or(bytes_max, |upper| upper.min(bytes_max)),
    ));
    while bytes.len() < bytes_max {
        let Some(frame) = body.frame().await else {
            break;
        };
        let frame = frame.map_err(|_source| Problem::new(StatusCode::BAD_REQUEST, "Read Error"))?;
        let Ok(mut data) = frame.into_data() else {
            continue;
        };
        let room = bytes_max - bytes.len();
        data.truncate(room);
        bytes.extend_from_slice(data.chunk());
    }
    Ok(bytes)
}

/// Reads and drops what is left of a body, if that is not much.
pub(crate) async fn discard(mut body: RequestBody<'_>, bytes_max: usize) {
    let announced = body.size_hint().lower();
    if usize::try_from(announced).map_or(true, |bytes| bytes > bytes_max) {
        return;
    }
    let mut read = 0;
    while read <= bytes_max {
        let Some(Ok(frame)) = body.frame().await else {
            return;
        };
        read += frame.data_ref().map_or(0, Bytes::len);
    }
}
