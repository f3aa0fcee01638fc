package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
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
			"the time to the first packet. rtspu:// is UDP only, rtspt:// is TCP only, rtsp:// tries UDP and then TCP.\n\n" +
			"The exit code is 1 if nothing came.",
		Example: "  mediagate play rtsp://192.0.2.1/sample.wmv\n" +
			"  mediagate play -o sample.asf --duration 10s rtspt://alice:secret@192.0.2.1/sample.wmv",
		Args: oneURL,
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
	fs.StringVar(&o.Transport, "transport", "auto", "`auto`, udp or tcp")
	fs.DurationVar(&o.Duration, "duration", 0, "stop this `TIME` after the first packet; 0 plays to the end")
	fs.Uint16Var(&o.ClientPort, "client-port", 0, "first of the four UDP ports to use; 0 takes free ones")
	fs.BoolVar(&o.Resend, "resend", true, "ask for lost packets again")
	fs.BoolVar(&o.PacketPair, "packet-pair", true, "measure the way first")
	fs.StringVar(&level, "log-level", "warn", "debug, info, warn or error")
	return cmd
}

func oneURL(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usagef("give one URL, such as rtsp://192.0.2.1/sample.wmv")
	}
	scheme, _, ok := strings.Cut(args[0], "://")
	if s := strings.ToLower(scheme); !ok || s != "rtsp" && s != "rtspu" && s != "rtspt" {
		return usagef("%q is no rtsp://, rtspu:// or rtspt:// URL", args[0])
	}
	return nil
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
	if err != nil && ctx.Err() == nil {
		for _, step := range report.Steps {
			fmt.Fprintln(stderr, step)
		}
		return err
	}
	printReport(to, report)
	if report.Packets == 0 {
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
	_ = t.Flush() // a report that cannot be printed has nobody to tell
}
