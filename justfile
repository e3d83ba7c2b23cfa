# Every recipe is a step of .ci/run, which continuous integration calls too.

# What a change must pass: formatting, lints, documentation, layering, tests
check:
    .ci/run fmt workflows clippy bare docs deny test mlx

# One step: fmt, workflows, clippy, bare, docs, deny, test or mlx
step NAME:
    .ci/run {{ NAME }}

# Runs the embedded suite and stores it in results.db
run *ARGS:
    cargo harness run {{ ARGS }}

# Writes the trend pages to site/
pages *ARGS:
    cargo reports html {{ ARGS }}

# Everything, as on a fresh machine: tools, checks, the main job, the reports
all:
    .ci/run
