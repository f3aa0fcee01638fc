package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

func newPinholes() *cobra.Command {
	var f adminFlags
	var session string
	cmd := &cobra.Command{
		Use:   "pinholes",
		Short: "List the open media ports of the running gateway",
		Long: "pinholes asks the running gateway through its admin API (admin.listen) for every open media port: whose it is, since\n" +
			"when, where it sends to, when a packet last came, and which packets it refused and why.",
		Example: "  mediagate pinholes\n  mediagate pinholes --session q6dmx5xo-1",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := url.Values{"limit": {"1000"}}
			if session != "" {
				q.Set("session", session)
			}
			return f.print(cmd, "/api/v1/pinholes?"+q.Encode(), printPinholes)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&session, "session", "", "those of one session, by its `ID`")
	return cmd
}

func printPinholes(w io.Writer, body []byte) error {
	var page struct {
		Total    int
		Pinholes []struct {
			Local, Side, Carries, State, Session, Peer string
			Opened                                     time.Time
			LastSeen                                   *time.Time `json:"last_seen"`
			Refused                                    map[string]uint64
		}
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PORT\tFACES\tCARRIES\tSTATE\tSESSION\tAGE\tPEER\tLAST PACKET\tREFUSED")
	for _, p := range page.Pinholes {
		last := "never"
		if p.LastSeen != nil {
			last = time.Since(*p.LastSeen).Round(time.Second).String() + " ago"
		}
		var refused []string
		for _, reason := range slices.Sorted(maps.Keys(p.Refused)) {
			refused = append(refused, fmt.Sprintf("%s %d", plain(reason), p.Refused[reason]))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", p.Local, p.Side, p.Carries, p.State, plain(p.Session),
			time.Since(p.Opened).Round(time.Second), p.Peer, last, strings.Join(refused, ", "))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if more := page.Total - len(page.Pinholes); more > 0 {
		fmt.Fprintf(w, "and %d more\n", more)
	}
	return nil
}
