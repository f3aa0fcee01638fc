"""An RTSP origin on GStreamer's RTSP server, for the tests of internal/lab.

Plays an H.264 + AAC test picture at --mount; with --record it also accepts a
stream published at that mount and throws it away. Prints "READY PORT" when it
listens, and "RECORDED n" with the number of video frames taken so far.
"""

import argparse
import signal
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

# 25 frames a second with a key frame each 12: a player that joins late shows
# its first frame within half a second.
PLAY = (
    "( videotestsrc is-live=true pattern=ball ! video/x-raw,width=192,height=108,framerate=25/1"
    " ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=12 bitrate=200"
    " ! video/x-h264,profile=baseline ! rtph264pay name=pay0 pt=96 config-interval=1"
    " audiotestsrc is-live=true ! audio/x-raw,rate=44100,channels=2"
    " ! avenc_aac bitrate=48000 ! rtpmp4gpay name=pay1 pt=97 )"
)
RECORD = (
    "( rtph264depay name=depay0 ! fakesink name=video signal-handoffs=true async=false"
    " rtpmp4gdepay name=depay1 ! fakesink name=audio async=false )"
)


def arguments():
    """The command line."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--address", default="127.0.0.1")
    p.add_argument("--port", default="0", help="0: any")
    p.add_argument("--mount", default="/test")
    p.add_argument("--auth", choices=["none", "basic", "digest"], default="none")
    p.add_argument("--user", default="user")
    p.add_argument("--password", default="secret")
    p.add_argument("--record", action="store_true")
    return p.parse_args()


def protect(server, factory, args):
    """Asks for the one user's password, in the way that --auth names."""
    auth = GstRtspServer.RTSPAuth.new()
    token = GstRtspServer.RTSPToken()
    token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, "user")
    if args.auth == "basic":
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(args.user, args.password), token)
    else:
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(args.user, args.password, token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions.new()
    permissions.add_role("user")
    for name in (GstRtspServer.RTSP_PERM_MEDIA_FACTORY_ACCESS,
                 GstRtspServer.RTSP_PERM_MEDIA_FACTORY_CONSTRUCT):
        permissions.add_permission_for_role("user", name, True)
    factory.set_permissions(permissions)


def count(media):
    """Tells of each tenth video frame that a publisher sent."""
    frames = [0]

    def taken(_sink, _buffer, _pad):
        frames[0] += 1
        if frames[0] % 10 == 0:
            print("RECORDED %d" % frames[0], flush=True)

    media.get_element().get_by_name("video").connect("handoff", taken)


def main():
    args = arguments()
    Gst.init(None)
    server = GstRtspServer.RTSPServer.new()
    server.set_address(args.address)
    server.set_service(args.port)
    factory = GstRtspServer.RTSPMediaFactory.new()
    # Not shared: a shared stream that its last client has just left answers the
    # next DESCRIBE with 503 now and then.
    factory.set_shared(False)
    if args.record:
        factory.set_launch(RECORD)
        factory.set_transport_mode(GstRtspServer.RTSPTransportMode.RECORD)
        factory.connect("media-configure", lambda _factory, media: count(media))
    else:
        factory.set_launch(PLAY)
    if args.auth != "none":
        protect(server, factory, args)
    server.get_mount_points().add_factory(args.mount, factory)
    if server.attach(None) == 0:
        sys.exit("gst-rtsp-server: cannot listen on %s:%s" % (args.address, args.port))
    loop = GLib.MainLoop()
    for number in (signal.SIGTERM, signal.SIGINT):
        GLib.unix_signal_add(GLib.PRIORITY_HIGH, number, loop.quit)
    # Without this, sessions of clients that went away without TEARDOWN stay.
    GLib.timeout_add_seconds(2, lambda: server.get_session_pool().cleanup() >= 0)
    print("READY %d" % server.get_bound_port(), flush=True)
    loop.run()


if __name__ == "__main__":
    main()
