package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"mediagate/internal/config"
	"mediagate/internal/origin"
)

// originFlags are the flags of origin.
type originFlags struct {
	listen              string
	media, mms, http    uint16
	dir                 string
	users               []string
	strict, playlist    bool
	speed               float64
	dropEvery           int
	ordinary, publish   bool
	logLevel, logFormat string
}

// embedded is what the two kinds of origin have in common.
type embedded interface {
	Start() error
	Run(context.Context) error
	Close() error
	URL(path string) string
}

func newOrigin() *cobra.Command {
	var f originFlags
	cmd := &cobra.Command{
		Use:   "origin",
		Short: "Run the embedded test origin",
		Long: "origin serves RTSP, MMS and HTTP as Windows Media Services do: ASF files over one UDP port pair, with packet\n" +
			"pair, resends and end of stream, or in the connection. With --ordinary it serves H.264 and AAC at /sample as\n" +
			"cameras do, over RTSP alone.\n\n" +
			"It is made for tests and demonstrations, not for viewers. It runs until SIGTERM or SIGINT.",
		Example: "  mediagate origin --listen 127.0.0.2:8554 --http 8080\n" +
			"  mediagate origin --listen :8554 --http 8080 --dir /srv/media --user alice:secret\n" +
			"  mediagate origin --listen 127.0.0.2:8554 --ordinary --publish",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			o, path, err := f.build(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, o.Close()) }()
			if err := o.Start(); err != nil {
				return err
			}
			tellURLs(cmd.OutOrStdout(), o, path)
			return o.Run(ctx)
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&f.listen, "listen", ":554", "listen for RTSP on `ADDR`")
	fs.Uint16Var(&f.media, "media", origin.DefaultMediaPort, "first, even UDP `PORT` of the pair that media comes from")
	fs.Uint16Var(&f.mms, "mms", origin.DefaultMMSPort, "TCP and UDP `PORT` of MMS, at the address of --listen; 0 is no MMS")
	fs.Uint16Var(&f.http, "http", origin.DefaultHTTPPort, "TCP `PORT` of HTTP, at the address of --listen; 0 is no HTTP")
	fs.StringVar(&f.dir, "dir", "", "serve the .asf, .wma and .wmv files of `FOLDER` instead of the bundled sample")
	fs.StringArrayVar(&f.users, "user", nil, "ask for the credentials `NAME:PASSWORD`; may be repeated")
	fs.BoolVar(&f.strict, "strict-uri", false, "refuse credentials whose uri is not that of the request")
	fs.BoolVar(&f.playlist, "playlist", false, "play each file twice, as two entries of a playlist")
	fs.Float64Var(&f.speed, "speed", 1, "send `N` times faster than real time")
	fs.IntVar(&f.dropEvery, "drop-every", 0, "keep each `N`-th UDP packet back, so that it has to be resent")
	fs.BoolVar(&f.ordinary, "ordinary", false, "serve H.264 and AAC instead of Windows Media")
	fs.BoolVar(&f.publish, "publish", false, "with --ordinary: let clients publish")
	fs.StringVar(&f.logLevel, "log-level", "warn", "debug, info, warn or error")
	fs.StringVar(&f.logFormat, "log-format", "console", "json or console")
	return cmd
}

// tellURLs prints where the origin can be reached, a line for each protocol.
func tellURLs(w io.Writer, o embedded, path string) {
	fmt.Fprintf(w, "serving %s\n", o.URL(path))
	s, ok := o.(*origin.Server)
	if !ok {
		return
	}
	for _, url := range []string{s.HTTPURL(path), s.MMSURL(path)} {
		if url != "" {
			fmt.Fprintf(w, "serving %s\n", url)
		}
	}
}

// build returns the origin that the flags describe, and the path of something to play.
func (f *originFlags) build(cmd *cobra.Command) (embedded, string, error) {
	listen, err := config.ParseListen(f.listen)
	if err != nil {
		return nil, "", usagef("--listen %q: %v", f.listen, err)
	}
	users, err := parseUsers(f.users)
	if err != nil {
		return nil, "", err
	}
	if err := errors.Join(logLevel(f.logLevel), oneOf("--log-format", f.logFormat, "json", "console")); err != nil {
		return nil, "", err
	}
	addr := listen.Addr
	if !addr.IsValid() {
		addr = netip.IPv4Unspecified() // the origin answers from the address it was bound to, which is IPv4 in tests
	}
	at := netip.AddrPortFrom(addr, listen.Port)
	log := newLogger(config.Log{Level: f.logLevel, Format: f.logFormat}, cmd.ErrOrStderr())
	if f.ordinary {
		o, err := origin.NewOrdinary(origin.OrdinaryConfig{
			Listen: at, UDPPorts: f.media, Users: users, Publish: f.publish, Logger: log,
		})
		return o, "/sample", err
	}
	// A service whose port is 0 is not there.
	service := func(port uint16) (at netip.AddrPort) {
		if port != 0 {
			at = netip.AddrPortFrom(addr, port)
		}
		return at
	}
	if f.publish {
		return nil, "", usagef("--publish goes with --ordinary")
	}
	o, err := origin.New(origin.Config{
		Listen: at, MMS: service(f.mms), HTTP: service(f.http), Media: f.media, Dir: f.dir, Users: users, StrictURI: f.strict, Speed: f.speed,
		DropEvery: f.dropEvery, Playlist: f.playlist, Logger: log,
	})
	if f.dir != "" {
		return o, "/", err
	}
	return o, samplePath, err
}

// parseUsers reads name:password pairs. A fault does not repeat the password.
func parseUsers(list []string) (map[string]string, error) {
	users := make(map[string]string, len(list))
	for _, text := range list {
		name, password, ok := strings.Cut(text, ":")
		if !ok || name == "" {
			return nil, usagef("--user takes NAME:PASSWORD")
		}
		users[name] = password
	}
	return users, nil
}
