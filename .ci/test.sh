#!/usr/bin/env bash
# Runs the tests: .ci/test.sh unit | players. The players' tests run real programs, each room alone, so that the
# machine's cores are theirs and their clocks mean something; everything else runs with the race detector.
set -euo pipefail
cd "$(dirname "$0")/.."

players=(./internal/lab ./internal/e2e)

case ${1:-} in
unit)
	all=$(go list ./...)
	mapfile -t rooms < <(grep -vE '/internal/(lab|e2e)$' <<<"$all")
	go test -race -shuffle=on -timeout 10m "${rooms[@]}"
	;;
players)
	go test -count=1 -p 1 -timeout 20m "${players[@]}"
	;;
*)
	echo "usage: .ci/test.sh unit | players" >&2
	exit 2
	;;
esac
