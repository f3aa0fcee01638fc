package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func newNodes() *cobra.Command {
	var f adminFlags
	list := func(cmd *cobra.Command, _ []string) error { return f.print(cmd, "/api/v1/nodes", printNodes) }
	order := func(method string) func(*cobra.Command, []string) error {
		return func(cmd *cobra.Command, args []string) error {
			pool, node, ok := strings.Cut(strings.Join(args, " "), "/")
			if !ok || len(args) != 1 {
				return usagef("name one node: mediagate nodes %s POOL/NODE", cmd.Name())
			}
			return f.order(cmd, method, "/api/v1/pools/"+url.PathEscape(pool)+"/nodes/"+url.PathEscape(node)+"/drain")
		}
	}
	cmd := &cobra.Command{
		Use:   "nodes [list | drain POOL/NODE | enable POOL/NODE]",
		Short: "Look at the nodes of the running gateway, and drain one",
		Long: "nodes asks the running gateway through its admin API (admin.listen). A node that is drained takes no new sessions;\n" +
			"those that it has run on, until it is enabled again or the gateway starts anew.",
		Example: "  mediagate nodes\n  mediagate nodes drain windows-media/wms1",
		Args:    noArgs, RunE: list,
	}
	f.add(cmd)
	cmd.AddCommand(
		&cobra.Command{Use: "list", Short: "List the nodes of all pools", Args: noArgs, RunE: list},
		&cobra.Command{Use: "drain POOL/NODE", Short: "Give it no new sessions", RunE: order(http.MethodPut)},
		&cobra.Command{Use: "enable POOL/NODE", Short: "Give it sessions again", RunE: order(http.MethodDelete)},
	)
	return cmd
}

// adminNode is a node as the admin API tells of it.
type adminNode struct {
	Pool, Name, Address string
	Draining            bool
	Sessions            int
	Services            map[string]struct {
		Health, Reason string
		Usable         bool
	}
}

// state is how a service of the node is, for people.
func (n *adminNode) state(service string) string {
	s := n.Services[service]
	switch {
	case n.Draining:
		return s.Health + ", draining"
	case !s.Usable && s.Health != "down":
		return s.Health + ", not usable"
	}
	return s.Health
}

func printNodes(w io.Writer, body []byte) error {
	var page struct {
		Nodes []adminNode
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NODE\tADDRESS\tSESSIONS\tSERVICE\tSTATE\tWHY")
	for _, n := range page.Nodes {
		for _, name := range slices.Sorted(maps.Keys(n.Services)) {
			fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\t%s\n", plain(n.Pool+"/"+n.Name), n.Address, n.Sessions, name, n.state(name), plain(n.Services[name].Reason))
		}
	}
	return t.Flush()
}
