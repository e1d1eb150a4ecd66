//! Mutations of a head by its lines: bytes that change at random seldom come to another header that is whole.

use libfuzzer_sys::fuzzer_mutate;

/// Lines that make a difference, and what two requests in one take.
const LINES: [&[u8]; 20] = [
    b"content-length: 0\r\n",
    b"Content-Length: 5\r\n",
    b"content-length : 2\r\n",
    b"content-length: +2\r\n",
    b"transfer-encoding: chunked\r\n",
    b"Transfer-Encoding:\x0bchunked\r\n",
    b"transfer-encoding: gzip, chunked\r\n",
    b"connection: close\r\n",
    b"connection: content-length, host\r\n",
    b"expect: 100-continue\r\n",
    b"host: example.com\r\n",
    b"host: [::1]:80\r\n",
    b" folded\r\n",
    b"\r\n",
    b"0\r\n\r\n",
    b"1\r\na\r\n",
    b"authorization: Basic YTpi\r\n",
    b"content-type: application/json\r\n",
    b"GET /v1/smuggled HTTP/1.1\r\nhost: g\r\n\r\n",
    b"POST /tokens/known-as/out HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n",
];

/// Changes `bytes`, of which the first `size` are the input, and gives the size that it has then. Every other time as libFuzzer does.
pub(crate) fn mutate(bytes: &mut [u8], size: usize, most: usize, seed: u32) -> usize {
    let mut chance = u64::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut below = |most: usize| {
        // Xorshift* (Vigna 2016).
        chance ^= chance >> 12;
        chance ^= chance << 25;
        chance ^= chance >> 27;
        (chance.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % most
    };
    if size == 0 || below(2) == 0 {
        return fuzzer_mutate(bytes, size, most);
    }
    let mut input = bytes[..size].to_vec();
    let ends = (0..size).filter(|at| input[*at] == b'\n').map(|at| at + 1);
    let starts: Vec<usize> = [0].into_iter().chain(ends).collect();
    let from = below(starts.len());
    let line = starts[from]..starts.get(from + 1).copied().unwrap_or(size);
    let to = starts[below(starts.len())];
    match below(4) {
        0 => drop(input.drain(line)),
        1 => {
            let line = input[line].to_vec();
            input.splice(to..to, line);
        }
        _ => drop(input.splice(to..to, LINES[below(LINES.len())].iter().copied())),
    }
    let size = input.len().min(most).min(bytes.len());
    bytes[..size].copy_from_slice(&input[..size]);
    size
}
