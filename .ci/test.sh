#!/usr/bin/env bash
# Runs the tests: .ci/test.sh unit | players | soak TIME SESSIONS. The players' tests run real programs, each room alone,
# so that the machine's cores are theirs and their clocks mean something; everything else runs with the race detector,
# the short soak after the players too. The long one runs without: it is about memory, which the detector multiplies.
set -euo pipefail
cd "$(dirname "$0")/.."

players=(./internal/lab ./internal/e2e ./internal/rig)

case ${1:-} in
unit)
	all=$(go list ./...)
	mapfile -t rooms < <(grep -vE '/internal/(lab|e2e|rig)$' <<<"$all")
	go test -race -shuffle=on -timeout 10m "${rooms[@]}"
	MEDIAGATE_ENGINE=plain go test -race -shuffle=on -timeout 10m ./udprelay
	;;
players)
	go test -count=1 -p 1 -timeout 20m -skip '^TestSoak$' "${players[@]}"
	go test -race -count=1 -timeout 10m -run '^TestSoak$' ./internal/e2e
	# Once more over the plain engine, without what has no UDP media or no gateway.
	without='^Test(Soak|HTTP.*|Tunnel.*|TLS|Doctor.*|W3C.*|.*Direct|SilentConnections|SlowLoris|Credentials|LadderMMS.*|TransparentPrivileges|Prometheus|Logrotate|Top|Admin.*|Strangers|XDP.*)$'
	MEDIAGATE_ENGINE=plain go test -count=1 -timeout 20m -skip "$without" ./internal/e2e
	;;
soak)
	export MEDIAGATE_SOAK=${2:?for how long} MEDIAGATE_SOAK_SESSIONS=${3:?how many at a time}
	ulimit -n "$(ulimit -Hn)"
	go test -count=1 -v -timeout 0 -run '^TestSoak$' ./internal/e2e
	;;
*)
	echo "usage: .ci/test.sh unit | players | soak TIME SESSIONS" >&2
	exit 2
	;;
esac
