#!/usr/bin/env bash
# Installs what the tests need and Go does not bring: players and origins that we did not write, and tools of the network.
# As root on Debian or Ubuntu it installs what is missing. Elsewhere it says what will be left out; with CI=true that is
# an error.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
	git gcc libc6-dev # the race detector is built with cgo
	ffmpeg mplayer vlc-bin vlc-plugin-base libmms-dev
	gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
	gstreamer1.0-plugins-ugly gstreamer1.0-libav gstreamer1.0-rtsp
	libgstrtspserver-1.0-0 gir1.2-gst-rtsp-server-1.0 python3-gi
	iproute2 nftables iputils-ping libcap2-bin tshark curl
	awstats # reads the log of Windows Media Services
	logrotate prometheus # its promtool
	tmux # a terminal for top
)
# What tells that a machine without dpkg has them.
programs=(git gcc ffmpeg mplayer vlc gst-launch-1.0 /usr/bin/python3 ip ss nft ping setcap tshark curl
	logrotate promtool tmux)

missing() {
	local name
	if command -v dpkg-query >/dev/null; then
		for name in "${packages[@]}"; do
			[[ $(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null) == installed ]] || echo "$name"
		done
	else
		for name in "${programs[@]}"; do
			command -v "$name" >/dev/null || echo "$name"
		done
	fi
}

install() {
	export DEBIAN_FRONTEND=noninteractive
	# A package that has a service starts it, where there is something that starts services. Tests start what they need.
	if [[ ! -e /usr/sbin/policy-rc.d ]]; then
		printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
		chmod 755 /usr/sbin/policy-rc.d
		trap 'rm -f /usr/sbin/policy-rc.d' EXIT
	fi
	apt-get update -qq </dev/null
	apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 "$@" </dev/null >/dev/null
}

mapfile -t absent < <(missing)
if ((${#absent[@]})) && ((EUID == 0)) && command -v apt-get >/dev/null; then
	echo "setup: installing ${absent[*]}"
	install "${absent[@]}"
	mapfile -t absent < <(missing)
fi
if ((${#absent[@]})); then
	echo "setup: not installed: ${absent[*]}" >&2
	if [[ ${CI:-} == true ]]; then
		echo "setup: CI=true, so nothing may be left out" >&2
		exit 1
	fi
	echo "setup: the tests that need them are left out; as root on Debian, make setup installs them" >&2
fi
if ((EUID != 0)); then
	echo "setup: not root: the tests in network namespaces are left out" >&2
	if [[ ${CI:-} == true ]]; then
		echo "setup: CI=true, so nothing may be left out" >&2
		exit 1
	fi
fi

go mod download
