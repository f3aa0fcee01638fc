package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"

	"github.com/spf13/cobra"

	"mediagate/gateway"
	"mediagate/internal/config"
	"mediagate/internal/doctor"
)

// errFaults ends doctor with exit code 1; the faults themselves are on standard output.
var errFaults = errors.New("doctor: test this machine: there are faults")

func newDoctor() *cobra.Command {
	var path string
	var clients []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor -c FILE",
		Short: "Test what a configuration needs of this machine and its network",
		Long: "doctor tests from the inside out what a configuration needs: privileges, addresses, ports, socket buffers, what\n" +
			"transparent pools need of rules, routes and filters, packet sizes, and whether each node answers. Of a node of a\n" +
			"transparent pool it also tests whether its way back to clients leads through this machine: it connects with an\n" +
			"address that no machine has. One line a test; a fault has its cause, and the command that mends it below.\n\n" +
			"It may run beside a gateway or without one, best as the same user. If no gateway runs it makes the rules of\n" +
			"transparent pools for the moment of its probes. Nothing else is changed.\n\n" +
			"The exit code is 0 without a fault, 1 with one.",
		Example: "  mediagate doctor -c mediagate.yaml\n  mediagate doctor -c mediagate.yaml --json --client 198.51.100.250",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if path == "" {
				return usagef("name the file with -c FILE")
			}
			spec, err := doctorSpec(path, clients)
			if err != nil {
				return err
			}
			results := doctor.Examine(cmd.Context(), spec)
			if err := printResults(cmd.OutOrStdout(), results, asJSON); err != nil {
				return err
			}
			if doctor.Faulty(results) {
				return errFaults
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&path, "config", "c", "", "configuration `FILE`")
	cmd.Flags().StringSliceVar(&clients, "client", []string{"203.0.113.254", "2001:db8:ffff::fe"},
		"`ADDRESS` that no machine has, to be a client with; one of each family")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a test")
	return cmd
}

func doctorSpec(path string, clients []string) (doctor.Spec, error) {
	cfg, err := config.Load(path)
	if err != nil {
		return doctor.Spec{}, err
	}
	spec := doctor.Spec{Config: cfg, Transparent: gateway.TransparentSpec(cfg), Warnings: gateway.Warnings(cfg)}
	for _, text := range clients {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return doctor.Spec{}, usagef("--client %q is no IP address", text)
		}
		spec.Clients = append(spec.Clients, a.Unmap())
	}
	return spec, nil
}

// printResults writes a line for each test, and what mends a fault below it.
func printResults(w io.Writer, results []doctor.Result, asJSON bool) error {
	encoder := json.NewEncoder(w)
	for _, r := range results {
		var err error
		if asJSON {
			err = encoder.Encode(r)
		} else {
			_, err = fmt.Fprintf(w, "%-5s  %s: %s\n", r.State, r.Test, r.What)
			if err == nil && r.Mend != "" {
				_, err = fmt.Fprintf(w, "       mend it: %s\n", r.Mend)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
