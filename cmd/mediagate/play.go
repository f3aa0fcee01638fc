package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"mediagate/internal/config"
	"mediagate/internal/player"
)

// errNoMedia is a play that was negotiated and brought nothing.
var errNoMedia = errors.New("no media came; UDP may be blocked on the way, try --transport tcp")

func newPlay() *cobra.Command {
	o := player.Options{Resend: true, PacketPair: true}
	var output, level string
	cmd := &cobra.Command{
		Use:   "play URL",
		Short: "Play a stream and report what came",
		Long: "play negotiates as Windows Media Player does, receives to the end and reports packets, loss, jitter, bytes and\n" +
			"the time to the first packet. rtsp:// and mms:// try UDP and then TCP; rtspu:// and mmsu:// are UDP only, rtspt://\n" +
			"and mmst:// TCP only. http:// and mmsh:// are Windows Media over HTTP; rtsph:// is RTSP tunnelled in HTTP, at port\n" +
			"80 if the URL names none.\n\n" +
			"With --rollover it climbs down the ladder until a step plays: rtspu, rtspt, mmsu, mmst, http. A refusal leads to\n" +
			"the next step at once; silence after 10 s over RTSP, after five times the time for the header over MMS and UDP,\n" +
			"else after 8 to 10 s. The report has each step, how long it took and why it was left. A port in the URL is that of\n" +
			"its own scheme; the others are given by --rtsp-port, --mms-port and --http-port.\n\n" +
			"The exit code is 1 if nothing came or the stream broke off; what came until then is reported.",
		Example: "  mediagate play rtsp://192.0.2.1/sample.wmv\n" +
			"  mediagate play --start 2s mmsu://192.0.2.1/sample.wmv\n" +
			"  mediagate play --rollover 192.0.2.1/sample.wmv\n" +
			"  mediagate play -o sample.asf --duration 10s rtspt://alice:secret@192.0.2.1/sample.wmv",
		Args: func(_ *cobra.Command, args []string) error {
			return errors.Join(oneURL(args, o.Rollover), logLevel(level), oneOf("--transport", o.Transport, "auto", "udp", "tcp", "tunnel"))
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			o.URL = args[0]
			o.Logger = newLogger(config.Log{Level: level, Format: "console"}, cmd.ErrOrStderr())
			return playTo(ctx, o, output, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	fs := cmd.Flags()
	fs.StringVarP(&output, "output", "o", "", "write the media to `FILE` as ASF; - is standard output")
	fs.StringVar(&o.Transport, "transport", "auto", "what media comes over: `WAY` is auto, udp, tcp or, for RTSP, tunnel")
	fs.BoolVar(&o.Rollover, "rollover", false, "climb down from RTSP to MMS and HTTP until a step plays")
	fs.Uint16Var(&o.Ports.RTSP, "rtsp-port", 554, "TCP `PORT` of RTSP if the URL does not say")
	fs.Uint16Var(&o.Ports.MMS, "mms-port", 1755, "TCP `PORT` of MMS if the URL does not say")
	fs.Uint16Var(&o.Ports.HTTP, "http-port", 80, "TCP `PORT` of HTTP and of tunnels if the URL does not say")
	fs.DurationVar(&o.Start, "start", 0, "begin `TIME` into the content")
	fs.DurationVar(&o.Duration, "duration", 0, "stop this `TIME` after the first packet; 0 plays to the end")
	fs.Uint16Var(&o.ClientPort, "client-port", 0, "use UDP from `PORT` on, four ports for RTSP; 0 takes free ones")
	fs.BoolVar(&o.Resend, "resend", true, "ask for lost packets again")
	fs.BoolVar(&o.PacketPair, "packet-pair", true, "measure the way first")
	fs.StringVar(&level, "log-level", "warn", "tell what is of `LEVEL` or above: debug, info, warn or error")
	return cmd
}

// playSchemes are the URLs that the built-in player knows, ladderSchemes those that it can begin the ladder with.
var (
	playSchemes   = []string{"rtsp", "rtspu", "rtspt", "rtsph", "mms", "mmsu", "mmst", "mmsh", "http"}
	ladderSchemes = []string{"rtsp", "mms"}
)

func oneURL(args []string, rollover bool) error {
	if len(args) != 1 {
		return usagef("give one URL, such as rtsp://192.0.2.1/sample.wmv")
	}
	scheme, _, ok := strings.Cut(args[0], "://")
	scheme = strings.ToLower(scheme)
	switch {
	case rollover && ok && !slices.Contains(ladderSchemes, scheme):
		return usagef("--rollover takes rtsp:// or mms://, or a URL without a scheme, not %q", args[0])
	case rollover && (ok || args[0] != ""), ok && slices.Contains(playSchemes, scheme):
		return nil
	}
	return usagef("%q is no rtsp, rtspu, rtspt, rtsph, mms, mmsu, mmst, mmsh or http URL", args[0])
}

// playTo plays, writes the media to the file that output names, and the report to where the media does not go.
func playTo(ctx context.Context, o player.Options, output string, stdout, stderr io.Writer) (err error) {
	to := stdout
	switch output {
	case "":
	case "-":
		o.Output, to = stdout, stderr
	default:
		f, openErr := os.Create(output)
		if openErr != nil {
			return fmt.Errorf("play: open output: %w", openErr)
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		o.Output = f
	}
	report, err := player.Play(ctx, o)
	stopped := ctx.Err() != nil // by whom it runs: no fault
	if report.Packets > 0 || err == nil || stopped {
		printReport(to, report) // also of a stream that broke off
	}
	switch {
	case err != nil && !stopped:
		for _, step := range report.Steps {
			fmt.Fprintln(stderr, step)
		}
		return err
	case report.Packets == 0:
		return errNoMedia
	}
	return nil
}

func printReport(w io.Writer, r *player.Report) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name string, value any) { fmt.Fprintf(t, "%s\t%v\n", name, value) }
	row("transport", r.Transport)
	row("server", r.Server)
	row("streams", r.Streams)
	row("packets", r.Packets)
	row("bytes", r.Bytes)
	row("lost", r.Lost)
	row("resent", r.Resent)
	row("late", r.Late)
	row("duplicate", r.Duplicate)
	row("jitter", r.Jitter.Round(time.Microsecond))
	row("first packet", r.FirstPacket.Round(time.Millisecond))
	row("media from", r.MediaSources)
	row("end of stream", r.EndOfStream)
	for _, s := range r.Ladder {
		result := "plays"
		if s.Why != "" {
			result = "left: " + s.Why
		}
		row("step "+s.Scheme, fmt.Sprintf("%s, %s", s.Took.Round(time.Millisecond), result))
	}
	_ = t.Flush() // a report that cannot be printed has nobody to tell
}
