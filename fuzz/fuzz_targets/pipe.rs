//! What Rust does before `main`, and libFuzzer's `main` does not: a client that is gone is an error to whoever writes, not the end.

unsafe extern "C" {
    fn signal(number: i32, handler: usize) -> usize;
}

/// Has the process ignore SIGPIPE.
pub(crate) fn ignore() {
    const SIGPIPE: i32 = 13;
    const IGNORED: usize = 1;
    // SAFETY: no handler is put in, so none can run at a wrong time.
    unsafe { signal(SIGPIPE, IGNORED) };
}
