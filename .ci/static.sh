#!/usr/bin/env bash
# Checks without running: format, vet, staticcheck. staticcheck is pinned here and run from its own module, so that
# go.mod keeps only what the program needs.
set -euo pipefail
cd "$(dirname "$0")/.."

staticcheck=honnef.co/go/tools/cmd/staticcheck@v0.7.0

unformatted=$(gofmt -s -l .)
if [[ -n $unformatted ]]; then
	echo "static: gofmt -s -w would change:" >&2
	echo "$unformatted" >&2
	exit 1
fi
go vet ./...
go run "$staticcheck" ./...
echo "static: gofmt, vet and staticcheck have nothing to say"
