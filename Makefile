# `make help` lists the commands. Needed: Rust by rustup (rust-toolchain.toml names the version), Go, Python 3, a C compiler.

.DEFAULT_GOAL := help
.PHONY: help demo test simulate simulate-crashes bugs mutants soak lint build crds control-plane clean programs test-programs demo-control-plane need-rust need-python

# The control plane is built by Go and the rest by cargo. Neither waits for the other.
SIDE_BY_SIDE = $(MAKE) --no-print-directory -j2
# Optimised: it plays years.
SIMULATION_TESTS = cargo test --package simulation --locked --profile simulation
PROGRAMS = $${CARGO_TARGET_DIR:-target}/debug

help: ## List the commands
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)$$/  make \1\t\2/p' Makefile | expand -t 26

demo: need-rust ## Show the main job on a real control plane and a simulated AWS; KEEP=1 leaves them running
	@$(SIDE_BY_SIDE) programs demo-control-plane
	@$(PROGRAMS)/demo $(if $(KEEP),--keep)

test: need-rust need-python ## Run every test, set-up included
	@$(SIDE_BY_SIDE) test-programs control-plane
	@status=0; \
	cargo test --workspace --exclude simulation --locked --no-fail-fast || status=$$?; \
	$(SIMULATION_TESTS) -- --nocapture --test-threads 1 || status=$$?; \
	exit $$status

simulate: need-rust ## Play SEEDS=100 random stories of the whole program, FROM=0 on, and check every rule at every step; STORIES=storms, calm or crowds
	cargo run --quiet --locked --package simulation --profile simulation -- --seeds $(or $(SEEDS),100) --from $(or $(FROM),0) --stories $(or $(STORIES),storms)

simulate-crashes: need-rust ## Let the program die after every write and pair of writes, and stand still at every call (hours); PART=2/5 plays a fifth
	SIMULATION=$(or $(PART),1/1) $(SIMULATION_TESTS) -- --nocapture --test-threads 1 crashes pauses

bugs: need-rust ## Put each known bug into the program and see who notices (hours); ONLY=words of a name, AGAIN=1 asks first who noticed before, QUICK=1 without crashes and pauses
	cargo run --quiet --locked --package seeded-bugs -- --only "$(ONLY)" $(if $(AGAIN),--again) $(if $(QUICK),--quick)

mutants: need-rust ## Change the code in small ways and see what no test notices (4 h); needs cargo-mutants
	@cargo mutants --version >/dev/null 2>&1 || { echo "install it first: cargo install cargo-mutants --locked"; exit 1; }
	@status=0; \
	cargo mutants --output target/mutants --timeout 60 || status=$$?; \
	cargo mutants --output target/mutants-executor --timeout 600 --config .cargo/mutants-executor.toml || status=$$?; \
	exit $$status

soak: need-rust demo-control-plane ## Kill and freeze everything at random under load; MINUTES=n (20), SEED=n to repeat a run
	cargo test --locked --package breakglass --test end_to_end -- soak::soak --exact --ignored --nocapture

lint: need-rust ## Check format, lints and documentation
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked

build: need-rust ## Build target/release/breakglass
	cargo build --release --locked --package breakglass --bin breakglass

crds: programs ## Write crds/ anew from src/api
	$(PROGRAMS)/breakglass crds --into crds

control-plane: ## Build etcd, kube-apiserver, kubectl and kube-controller-manager for demo and tests
	@tests/control-plane/build

clean: ## Remove what was built, the control plane included
	cargo clean
	rm -rf target

# Both by one command, because cargo would build what they share twice for two.
programs: need-rust
	cargo build --locked --package breakglass --package demo

test-programs: need-rust
	cargo test --workspace --exclude simulation --locked --no-run
	$(SIMULATION_TESTS) --no-run

demo-control-plane:
	@tests/control-plane/build etcd kube-apiserver kubectl

need-rust:
	@command -v cargo >/dev/null || { echo 'make: cargo is missing: install Rust with rustup' >&2; exit 1; }
	@command -v cc >/dev/null || { echo 'make: cc is missing: install a C compiler, such as gcc' >&2; exit 1; }

need-python:
	@python3 -c 'import ensurepip, venv' 2>/dev/null || { echo 'make: the tests need Python 3 with venv (on Debian: python3-venv)' >&2; exit 1; }
