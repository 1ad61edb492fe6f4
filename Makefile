# What CI runs is what you run. Each target but `docs` is a script of the same name, which says in its first lines what it does.
SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help demo test lint bench bench-nodes bench-search clients kill-loop walk fuzz docs

help: ## what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | awk -F '|' '{ printf "make %-12s %s\n", $$1, $$2 }'

demo: ## the journey: build, start, aws and mvn against it; ARGS=--keep leaves the server running
	@scripts/demo $(ARGS)

test: ## every test, with PostgreSQL and an S3 server; ARGS go to cargo test
	@scripts/test $(ARGS)

lint: ## format, clippy, documentation, dependencies, scripts
	@scripts/lint

clients: ## each format's own client against the built binary; ARGS="npm maven" picks
	@scripts/clients $(ARGS)

bench: ## an optimised build under load, beside nginx
	@scripts/bench $(ARGS)

bench-nodes: ## how soon what one server takes back is refused by another; ARGS=TIMES
	@scripts/bench-nodes $(ARGS)

bench-search: ## searches over a million versions, on both databases; ARGS="PACKAGES REPOSITORIES"
	@scripts/bench-search $(ARGS)

kill-loop: ## kills the server while it is written to, again and again; ARGS=ROUNDS
	@scripts/kill-loop $(ARGS)

walk: ## a long random walk over the catalog beside a model of it, on both databases; ARGS="STEPS SEED"
	@scripts/walk $(ARGS)

fuzz: ## bytes that nobody meant, for every parser of what comes from outside; ARGS="SECONDS TARGET…"
	@scripts/fuzz $(ARGS)

docs: ## the crates' documentation, with warnings as errors
	@RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked
