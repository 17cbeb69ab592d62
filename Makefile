# couic: build, test, install. `make help` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -ec
.DELETE_ON_ERROR:

PREFIX  ?= /usr
DESTDIR ?=
# Another processor: `make RID=linux-arm64` (CONTRIBUTING.md says what that needs).
RID     ?= linux-x64

VERSION := $(shell sed -n 's:.*<Version>\(.*\)</Version>.*:\1:p' Directory.Build.props)
FOLDERS := Native Bpf Store Http Api Bus Peering Journal Names Reporting Config Logging CommandLine Cli Daemon Sets Demo Web
SOURCES := Program.cs couic.csproj Directory.Build.props tools/trimming.xml $(shell find $(FOLDERS) -type f 2>/dev/null | LC_ALL=C sort)

export DOTNET_CLI_TELEMETRY_OPTOUT := 1
export DOTNET_NOLOGO := 1
# Messages of the tools are read by scripts: one language, whatever that of the user is.
export DOTNET_CLI_UI_LANGUAGE := en
export LC_ALL := C.UTF-8
export DOTNET_SKIP_FIRST_TIME_EXPERIENCE := 1
# Build servers that outlive the build would keep a CI job's output open.
export MSBUILDDISABLENODEREUSE := 1

.PHONY: all manual reference run test soak soak-peering bench bench-check fuzz mutants kernels lint format install uninstall deb clean help setup version
all: out/couic out/couicctl out/couic-report

# The shim between .NET and OpenSSL comes as C source with the compiler package and is built here: two of its statements
# make clang warn, and that is neither our code nor ours to mend. Our own C is compiled with -Werror, elsewhere. Its assertions
# name their source, which lies in the builder's home.
PACKAGES := $(or $(NUGET_PACKAGES),$(HOME)/.nuget/packages)
export CFLAGS := -O2 -Wno-unused-value "-ffile-prefix-map=$(PACKAGES)/="

# Another processor is linked against headers and libraries of its own packages; the shim needs its processor in the flags.
SYSROOT :=
ifneq ($(RID),linux-x64)
SYSROOT := $(CURDIR)/out/sysroot-$(RID)
export CFLAGS += --target=aarch64-linux-gnu "--sysroot=$(SYSROOT)"
export OPENSSL_ROOT_DIR := $(SYSROOT)/usr
endif

# What the executable is made from, by content: a checkout of another commit, a file that has gone, or another target is noticed
# whatever the times of files say.
INPUTS := $(shell mkdir -p out && { echo '$(RID)'; cat $(SOURCES) Makefile | sha256sum; echo '$(SOURCES)'; } >out/.inputs.new && \
  { cmp -s out/.inputs.new out/.inputs || cp out/.inputs.new out/.inputs; rm -f out/.inputs.new; })

out/couic: out/.inputs
	@tools/setup build
	@$(if $(SYSROOT),tools/sysroot $(RID) >/dev/null)
	@rm -rf out/publish
	@dotnet publish couic.csproj -c Release -r $(RID) -o out/publish -v q --tl:off $(if $(SYSROOT),-p:SysRoot=$(SYSROOT)) \
	  | { grep -vE 'CMake warning|^ *\[ *[0-9]+%\]|Built target|^ *-- |^ *Generating native code|^ *$$' || true; }
	@mkdir -p out
	@mv -f out/publish/couic.dbg out/couic.dbg
	@install -m 755 out/publish/couic out/couic
	@cp "$$(find obj -path '*/$(RID)/linked-files.txt' -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d' ' -f2-)" out/linked-files.txt
	@rm -rf out/publish
	@echo "out/couic: couic $(VERSION), $$(stat -c %s out/couic) bytes"

out/couicctl out/couic-report: out/couic
	@ln -sf couic $@

# Manual pages and completion scripts: docs/man and the tables that the program itself reads.
out/man/.made: out/couic tools/licenses $(wildcard docs/man/*.md tools/man/*.cs tools/man/*.csproj)
	@dotnet run --project tools/man -c Release -v q -- docs/man out
	@tools/licenses out/linked-files.txt
	@touch $@

manual: out/man/.made

reference: ## write the tables of all keys into docs/reference/configuration.md
	@dotnet run --project tools/man -c Release -v q -- --reference docs/reference/configuration.md

run: all ## build, start the daemon on the loopback interface, print what to try
	@tools/run-default

test: lint all manual ## all checks: lint, unit tests, tests of the built program
	@tools/setup test
	@tests/run

soak: all ## one hour (SOAK_SECONDS) of mixed load and faults: a picture in out/soak, exit 0 when it is flat
	@tools/setup test
	@tests/soak/run

soak-peering: all ## hours: the simulator's 10,000 seeds, ten runs of the cluster, ten minutes without a peer, without the webhook
	@tools/setup test
	@COUIC_TEST_SECONDS=86400 COUIC_SIM_SEEDS=10000 tests/run unit/ -- -class '*.SimulatorTests'
	@COUIC_TEST_SECONDS=86400 COUIC_CLUSTER_RUNS=10 COUIC_CLUSTER_SECONDS=1 COUIC_AWAY_SECONDS=600 COUIC_OUTAGE_SECONDS=600 \
	  tests/run integration/ -- -showLiveOutput -class '*.ClusterTests' -class '*.PeeringVolumeTests' -class '*.WebhookOutageTests'

FUZZ_SECONDS ?= 60
fuzz: all ## each parser for FUZZ_SECONDS (60) against mutations of tests/corpus, then random rules and packets against an oracle
	@tools/setup test
	@COUIC_TEST_SECONDS=86400 FUZZ_SECONDS=$(FUZZ_SECONDS) tests/run unit/ -- -showLiveOutput -namespace Couic.Tests.Fuzz
	@COUIC_TEST_SECONDS=86400 FUZZ_SECONDS=$(FUZZ_SECONDS) tests/run integration/ -- \
	  -method '*.EveryVerdictIsThatOfTryingEveryRule*' -method '*.WhateverIsPutTogether*'

MUTANTS ?= 300
mutants: all ## change the deciding parts in MUTANTS (300) ways, print the changes that no unit test notices; hours, not part of CI
	@tools/setup test
	@dotnet build tests/unit -c Release -v q --nologo
	@MUTANTS=$(MUTANTS) MUTANTS_ONLY=$(MUTANTS_ONLY) MUTANTS_SEED=$(MUTANTS_SEED) dotnet run --project tools/mutants -c Release

kernels: deb ## boot kernels from 5.10 to the newest in qemu: a table of checks, then the package under systemd on some of them
	@tools/setup kernels test
	@tests/kernels/run $(KERNELS)
	@tests/kernels/machine $(KERNELS)

lint: all ## build without warnings; dependencies between folders, formatting, documentation
	@tools/setup lint
	@tools/lint

format: ## format C# and C
	@tools/setup lint
	@dotnet format whitespace --folder . --exclude bin obj out
	@clang-format -i Bpf/*.c Bpf/*.h

bench: all ## measure; each script prints ratios (bench/README.md)
	@tools/setup bench
	@bench/run

bench-check: all ## some four minutes: fail when a measured promise of the documentation is far from true (bench/check)
	@tools/setup bench
	@bench/check

install: all manual ## install under DESTDIR and PREFIX (/usr)
	@tools/install '$(DESTDIR)' '$(PREFIX)'

uninstall: ## remove what install installed; configuration and rules stay
	@tools/uninstall '$(DESTDIR)' '$(PREFIX)'

deb: all manual ## build out/couic_VERSION_ARCH.deb
	@tools/setup deb
	@tools/deb '$(VERSION)' '$(RID)'

clean: ## remove everything that was built
	@rm -rf out obj bin TestResults {tests,tools}/*/bin {tests,tools}/*/obj

setup:
	@tools/setup build lint test bench deb kernels

version:
	@echo '$(VERSION)'

help: ## this list
	@echo 'make             out/couic with the links out/couicctl and out/couic-report, symbols in out/couic.dbg'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | while IFS=$$'\t' read -r name text; do \
	  printf 'make %-11s %s\n' "$$name" "$$text"; done
