package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// sessionLine is what a list shows of a session record.
type sessionLine struct {
	ID        string    `json:"id"`
	Protocol  string    `json:"protocol"`
	Transport string    `json:"transport"`
	Client    string    `json:"client"`
	Node      string    `json:"node"`
	URL       string    `json:"url"`
	Start     time.Time `json:"start"`
	Duration  float64   `json:"duration"`
	Lost      uint64    `json:"lost"`
	ToClient  struct {
		Packets uint64 `json:"packets"`
		Bytes   uint64 `json:"bytes"`
	} `json:"to_client"`
}

func newSessions() *cobra.Command {
	var f adminFlags
	filter := map[string]*string{"protocol": new(string), "node": new(string), "client": new(string), "url": new(string)}
	list := func(cmd *cobra.Command, _ []string) error {
		q := url.Values{"limit": {"1000"}}
		for name, value := range filter {
			if *value != "" {
				q.Set(name, *value)
			}
		}
		return f.print(cmd, "/api/v1/sessions?"+q.Encode(), printSessions)
	}
	cmd := &cobra.Command{
		Use:   "sessions [list | show ID | kill ID | trace ID | capture ID]",
		Short: "Look at the sessions of the running gateway, and end, trace or capture one",
		Long:  "sessions asks the running gateway through its admin API (admin.listen).",
		Example: "  mediagate sessions --node wms1\n  mediagate sessions show a41f-17\n  mediagate sessions kill a41f-17\n" +
			"  mediagate sessions capture a41f-17 -w - | wireshark -k -i -",
		Args: noArgs, RunE: list,
	}
	f.add(cmd)
	for name, what := range map[string]string{
		"protocol": "only those of `NAME`, rtsp, mms or http", "node": "only those of the node `NAME`",
		"client": "only those from `ADDR`, an address or a network", "url": "only those with `TEXT` in their URL",
	} {
		cmd.Flags().StringVar(filter[name], name, "", what)
	}
	cmd.AddCommand(
		&cobra.Command{Use: "list", Short: "List the sessions that run", Args: noArgs, RunE: list},
		&cobra.Command{Use: "show ID", Short: "Print the record of one as it is now", Args: oneID, RunE: func(cmd *cobra.Command, args []string) error {
			return f.print(cmd, sessionPath(args[0]), printIndented)
		}},
		&cobra.Command{Use: "kill ID", Short: "End one, with its protocol's goodbye", Args: oneID, RunE: func(cmd *cobra.Command, args []string) error {
			return f.order(cmd, http.MethodDelete, sessionPath(args[0]))
		}},
		newSessionTrace(&f), newSessionCapture(&f),
	)
	return cmd
}

func sessionPath(id string) string { return "/api/v1/sessions/" + url.PathEscape(id) }

func oneID(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usagef("name one session: mediagate sessions %s ID", cmd.Name())
	}
	return nil
}

func newSessionTrace(f *adminFlags) *cobra.Command {
	var on, off bool
	cmd := &cobra.Command{
		Use: "trace ID", Short: "Print its control messages so far, as the flight recorder has them", Args: oneID,
		RunE: func(cmd *cobra.Command, args []string) error {
			path := sessionPath(args[0]) + "/trace"
			switch {
			case on && off:
				return usagef("--on and --off exclude each other")
			case on:
				return f.order(cmd, http.MethodPut, path)
			case off:
				return f.order(cmd, http.MethodDelete, path)
			}
			return f.print(cmd, path, nil)
		},
	}
	cmd.Flags().BoolVar(&on, "on", false, "write a trace file of it from now on, in capture.dir or sessions.trace_dir")
	cmd.Flags().BoolVar(&off, "off", false, "write no trace file of it any more")
	return cmd
}

func newSessionCapture(f *adminFlags) *cobra.Command {
	var file string
	limits := map[string]*string{"packets": new(string), "bytes": new(string), "duration": new(string), "snaplen": new(string)}
	cmd := &cobra.Command{
		Use: "capture ID -w FILE", Short: "Write what it sends and receives from now on, on both sides, as pcapng", Args: oneID,
		RunE: func(cmd *cobra.Command, args []string) error {
			if file == "" {
				return usagef("name the file with -w FILE, or -w - for standard output")
			}
			q := url.Values{}
			for name, value := range limits {
				if *value != "" {
					q.Set(name, *value)
				}
			}
			return f.record(cmd, sessionPath(args[0])+"/capture?"+q.Encode(), file)
		},
	}
	cmd.Flags().StringVarP(&file, "write", "w", "", "`FILE` to write, - is standard output")
	for name, what := range map[string]string{
		"packets": "end after `N` packets", "bytes": "end after `N` bytes", "duration": "end after `TIME`, such as 30s", "snaplen": "keep `N` bytes of each packet",
	} {
		cmd.Flags().StringVar(limits[name], name, "", what)
	}
	return cmd
}

// record streams an answer into a file until it ends.
func (f *adminFlags) record(cmd *cobra.Command, path, file string) (err error) {
	c, err := f.client()
	if err != nil {
		return err
	}
	body, err := c.open(cmd.Context(), http.MethodGet, path)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }() // it was read
	out := cmd.OutOrStdout()
	if file != "-" {
		to, err := os.Create(file)
		if err != nil {
			return err
		}
		defer func() {
			if e := to.Close(); err == nil {
				err = e
			}
		}()
		out = to
	}
	_, err = io.Copy(out, body)
	return err
}

// order sends a request whose answer says nothing.
func (f *adminFlags) order(cmd *cobra.Command, method, path string) error {
	c, err := f.client()
	if err != nil {
		return err
	}
	_, err = c.ask(cmd.Context(), method, path)
	return err
}

// print shows an answer; how is nil for text.
func (f *adminFlags) print(cmd *cobra.Command, path string, how func(io.Writer, []byte) error) error {
	c, err := f.client()
	if err != nil {
		return err
	}
	body, err := c.ask(cmd.Context(), http.MethodGet, path)
	if err != nil {
		return err
	}
	if how == nil || f.asJSON {
		_, err = cmd.OutOrStdout().Write(body)
		return err
	}
	return how(cmd.OutOrStdout(), body)
}

func printIndented(w io.Writer, body []byte) error {
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", b)
	return err
}

func printSessions(w io.Writer, body []byte) error {
	var page struct {
		Total    int
		Sessions []sessionLine
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tPROTOCOL\tTRANSPORT\tCLIENT\tNODE\tLASTS\tPACKETS\tLOST\tURL")
	for _, s := range page.Sessions {
		lasts := time.Duration(s.Duration * float64(time.Second)).Round(time.Second)
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t%s\n", s.ID, s.Protocol, s.Transport, s.Client, plain(s.Node), lasts, s.ToClient.Packets, s.Lost, plain(s.URL))
	}
	if n := page.Total - len(page.Sessions); n > 0 {
		fmt.Fprintf(t, "and %d more\n", n)
	}
	return t.Flush()
}
