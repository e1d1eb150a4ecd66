# The recipes, one line each.
default:
    @just --list --unsorted

# Run the scenario suite
run *ARGS:
    cargo run --quiet -- run {{ARGS}}

# Pass every test
test:
    cargo test

# Let the official Python clients read the mock
clients *ARGS:
    python3 tests/clients/run.py {{ARGS}}

# What the pipeline does, from formatting to documentation
ci:
    bash .ci/run

# Measure the engine; docs/performance.md says how to read it
bench *ARGS:
    cargo bench -p firedrill-benches --bench engine --bench memory {{ARGS}}

# Measure the mock provider beside a bare server
bench-mock:
    cargo bench --profile release -p firedrill-benches --no-default-features --features mock --bench mock

# Measure the gateway beside others; ENVOY and LITELLM name the programs, where they are installed
bench-gateway:
    cargo bench --profile release -p firedrill-benches --no-default-features --features gateway --bench gateway

# Rehearse LiteLLM's proxy and Envoy, or one of them; installs them in target/strangers
strangers *NAMES:
    examples/strangers {{NAMES}}

# Count the engine's instructions and compare them to the baseline
instructions:
    python3 .ci/instructions.py

# Make what is counted now the baseline, then read the difference
accept-instructions:
    python3 .ci/instructions.py --accept
    git diff --unified=0 benches/instructions.json

# Write the JSON schemas of scenarios, mock files and gateways again
schema:
    cargo run --quiet -- schema > scenarios/schema.json
    cargo run --quiet -- schema mock > docs/mock.schema.json
    cargo run --quiet -- schema gateway > docs/gateway.schema.json

# Take what the snapshot tests now see as right, then read the difference
accept:
    INSTA_UPDATE=always cargo test
    git diff --stat -- '*.snap' fixtures/providers

# Read the API documentation
doc:
    cargo doc --workspace --no-deps --open
