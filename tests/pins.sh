#!/bin/sh
# Computes the pins: exact versions with hashes, and no address of any registry. Usage: pins.sh BIN-FOLDER-WITH-UV
set -eu
PATH="$1:$PATH"
U="uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url -q"
$U pyproject.toml -o requirements.txt
$U pyproject.toml --extra verify --group dev -c requirements.txt -o requirements-dev.txt
$U benchmarks/requirements.in -o benchmarks/requirements.txt
