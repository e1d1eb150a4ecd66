//! The example of the engine embedded tells the same story as ever.

#[path = "../examples/embed.rs"]
#[allow(dead_code, reason = "a test needs no `main`")]
mod embed;

#[test]
fn the_example_tells_its_story() {
    let expect = "    0ms  founded: 2 tokens
  250ms  a request draws green and is answered 200
  500ms  a request draws blue and is answered 429
  500ms  token blue failed with 429 (1 of 2)
  750ms  a request draws green and is answered 200
     1s  a request draws green and is answered 200
  1.25s  a request draws blue and is answered 429
  1.25s  failover: token blue is unavailable now (429, failure 2 of 2)
   1.5s  a request draws green and is answered 200
   5.5s  a request draws green and is answered 503
   5.5s  token green failed with 503 (1 of 2)
   5.5s  a request draws green and is answered 503
   5.5s  failover: token green is unavailable now (503, failure 2 of 2)
   5.5s  warning: no token is available, requests draw a fallback
   5.5s  a request draws blue as a fallback and is answered 503
   5.5s  lease: this worker sends the probes until 1m5.5s
   5.5s  probe 1 sent for token blue
   5.5s  probe 2 sent for token green
   5.5s  probe 1 failed for token blue (429)
   5.5s  health check recovery: token green passed probe 2 (1 of 1), restored
  15.5s  cooldown recovery: token blue has cooled down for 14250 ms, restored
  15.5s  a request draws blue and is answered 200";
    assert_eq!(embed::story().join("\n"), expect);
}
