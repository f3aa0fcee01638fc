package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"mediagate/gateway"
	"mediagate/internal/config"
)

func newCheck() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "check -c FILE",
		Short: "Print every fault of a configuration, or what is in effect",
		Long: "check reads a configuration file and prints every fault of it with its line, or, if there is none, the\n" +
			"effective configuration with every default written out. Nothing is started and nothing is bound.\n\n" +
			"What this machine's settings grant less of than the file asks for (net.core.rmem_max and wmem_max, open files)\n" +
			"is warned of on standard error, with what to do about it.\n\n" +
			"The exit code is 0 without a fault, 1 with one; warnings do not count.",
		Example: "  mediagate check -c mediagate.yaml\n" +
			"  mediagate check -c mediagate.yaml > /dev/null && systemctl restart mediagate",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if path == "" {
				return usagef("name the file with -c FILE")
			}
			cfg, err := config.Load(path)
			if err != nil {
				return err
			}
			out, err := cfg.YAML()
			if err != nil {
				return err
			}
			for _, w := range gateway.Warnings(cfg) {
				_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "%s: warning: %s\n", path, w) // the exit code does not depend on it
			}
			_, err = cmd.OutOrStdout().Write(out)
			return err
		},
	}
	cmd.Flags().StringVarP(&path, "config", "c", "", "configuration `FILE`")
	return cmd
}
