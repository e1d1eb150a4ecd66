# The recipes, one line each.
default:
    @just --list --unsorted

# Run the scenario suite
run *ARGS:
    cargo run --quiet -- run {{ARGS}}

# Pass every test
test:
    cargo test

# What the pipeline does, from formatting to documentation
ci:
    bash .ci/run

# Measure the engine; docs/performance.md says how to read it
bench *ARGS:
    cargo bench -p firedrill-benches {{ARGS}}

# Write the JSON schema of the scenario language again
schema:
    cargo run --quiet -- schema > scenarios/schema.json

# Take what the snapshot tests now see as right, then read the difference
accept:
    INSTA_UPDATE=always cargo test
    git diff --stat -- '*.snap'

# Read the API documentation
doc:
    cargo doc --workspace --no-deps --open
