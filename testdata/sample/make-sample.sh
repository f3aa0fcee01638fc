#!/bin/sh
# Makes the bundled samples of internal/origin with ffmpeg: ten seconds of a test picture and a tone, once as
# Windows Media (one file, ASF packets that fit an Ethernet frame once they are RTP), once as H.264 and AAC.
# The outcome is committed; run this only to change it. Usage: testdata/sample/make-sample.sh [folder]
set -eu

out=${1:-"$(dirname "$0")/../../internal/origin/sample"}
mkdir -p "$out"

picture="testsrc2=size=320x240:rate=25:duration=10"
tone="sine=frequency=440:sample_rate=44100:duration=10"
quiet="-hide_banner -loglevel error -y -fflags +bitexact"

# A packet of 1400 bytes is one RTP packet: 1400 + 12 of RTP + 16 of payload header + 28 of UDP and IP.
# shellcheck disable=SC2086
ffmpeg $quiet -f lavfi -i "$picture" -f lavfi -i "$tone" \
  -map 0:v -map 1:a -c:v wmv2 -b:v 100k -maxrate 150k -bufsize 150k -g 50 -c:a wmav2 -b:a 32k -ac 1 \
  -flags:v +bitexact -flags:a +bitexact -map_metadata -1 -metadata title="mediagate sample" \
  -packet_size 1400 -f asf "$out/sample.wmv"

# Baseline, no B frames: decoding order is display order, so that the origin needs no timestamps but the frame rate.
# shellcheck disable=SC2086
ffmpeg $quiet -f lavfi -i "$picture" -c:v libx264 -profile:v baseline -preset slow -b:v 90k -maxrate 140k \
  -bufsize 140k -g 25 -keyint_min 25 -sc_threshold 0 -pix_fmt yuv420p -flags:v +bitexact \
  -bsf:v h264_metadata=aud=insert -f h264 "$out/sample.h264"

# shellcheck disable=SC2086
ffmpeg $quiet -f lavfi -i "$tone" -c:a aac -b:a 28k -ac 1 -flags:a +bitexact -f adts "$out/sample.aac"

ls -l "$out"
