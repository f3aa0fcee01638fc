package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// topEvery is how often the view is drawn anew.
const topEvery = time.Second

func newTop() *cobra.Command {
	var f adminFlags
	var once bool
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Watch the sessions, nodes and the relay of the running gateway",
		Long: "top asks the running gateway through its admin API (admin.listen) each second. Keys: b sorts sessions by bitrate, l by\n" +
			"losses, t by time; q ends it. Without a terminal, or with --once, it prints one picture of a second and ends.",
		Example: "  mediagate top\n  mediagate top --once -c /etc/mediagate/mediagate.yaml",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.client()
			if err != nil {
				return err
			}
			out, isFile := cmd.OutOrStdout().(*os.File)
			if once || !isFile || !term.IsTerminal(int(out.Fd())) || !term.IsTerminal(int(os.Stdin.Fd())) {
				return printOnce(cmd.Context(), c, cmd.OutOrStdout())
			}
			return watchTop(cmd.Context(), c, out)
		},
	}
	f.add(cmd)
	_ = cmd.PersistentFlags().MarkHidden("json")
	cmd.Flags().BoolVar(&once, "once", false, "print one picture and end")
	return cmd
}

// look asks for all that a picture shows.
func (c *client) look(ctx context.Context) (p picture, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for path, into := range map[string]any{"/api/v1/sessions?limit=1000": &p, "/api/v1/nodes": &p, "/api/v1/relay": &p.Relay} {
		body, err := c.ask(ctx, http.MethodGet, path)
		if err != nil {
			return p, err
		}
		if err := json.Unmarshal(body, into); err != nil {
			return p, fmt.Errorf("read the answer to %s: %w", path, err)
		}
	}
	p.at = time.Now()
	return p, nil
}

func printOnce(ctx context.Context, c *client, w io.Writer) error {
	before, err := c.look(ctx)
	if err != nil {
		return err
	}
	select {
	case <-time.After(topEvery):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	now, err := c.look(ctx)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, now.text(before, 'b', 132, 10_000))
	return err
}

// Escape sequences of every terminal since the VT100 (ECMA-48), and xterm's second screen.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l"
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	drawAnew    = "\x1b[H"
	clearBelow  = "\x1b[J"
	clearRight  = "\x1b[K\r\n"
)

// watchTop draws until q. Whatever ends it, the terminal is as it was.
func watchTop(ctx context.Context, c *client, out *os.File) (err error) {
	before, err := c.look(ctx) // an error now is told on the usual screen
	if err != nil {
		return err
	}
	old, err := term.MakeRaw(int(os.Stdin.Fd()))
	if err != nil {
		return fmt.Errorf("prepare the terminal: %w", err)
	}
	defer func() {
		_, _ = io.WriteString(out, leaveScreen)
		_ = term.Restore(int(os.Stdin.Fd()), old)
	}()
	_, _ = io.WriteString(out, enterScreen)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGWINCH)
	defer signal.Stop(signals)
	keys := make(chan byte)
	go readKeys(keys)
	tick := time.NewTicker(topEvery)
	defer tick.Stop()
	by, now := byte('b'), before
	for {
		draw(out, now, before, by)
		select {
		case <-tick.C:
			next, err := c.look(ctx)
			if err != nil {
				return err
			}
			before, now = now, next
		case k := <-keys:
			switch k {
			case 'q', 3, 4: // and ^C, ^D, which a raw terminal makes keys of
				return nil
			case 'b', 'l', 't':
				by = k
			}
		case s := <-signals:
			if s != syscall.SIGWINCH {
				return nil
			}
		}
	}
}

// readKeys ends with the program: a read of a terminal cannot be broken.
func readKeys(to chan<- byte) {
	var b [1]byte
	for {
		n, err := os.Stdin.Read(b[:])
		if err != nil {
			return
		}
		if n == 1 {
			to <- b[0]
		}
	}
}
