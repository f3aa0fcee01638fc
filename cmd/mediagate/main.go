// Command mediagate is a protocol-aware gateway and load balancer for Windows Media Services and RTSP media servers.
//
// What it is: flags, signals and exit codes. What it owns: the process; it starts a gateway, an origin or a player and
// ends it when a signal says so. What it must not know: how any of them works. How it is tested: scripts in
// testdata/script that run the program, and tables for the demonstration's decisions.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mediagate/internal/config"
)

// version is stamped by the linker: -ldflags "-X main.version=v1.2.3".
var version string

// Exit codes, as shells and service managers expect them.
const (
	exitOK     = 0
	exitFailed = 1 // a fault in the configuration, or something that could not be done
	exitUsage  = 2 // the command line was not understood
)

func main() { os.Exit(execute(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

// execute runs one command line and returns the exit code. What went wrong is told once, on stderr.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	var usage *usageError
	var faults config.Faults
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "mediagate: %v\n%q tells more\n", err, cmd.CommandPath()+" -h")
		return exitUsage
	case errors.As(err, &faults):
		fmt.Fprintln(stderr, faults)
	default:
		for line := range strings.Lines(err.Error()) {
			fmt.Fprintln(stderr, "mediagate:", strings.TrimSuffix(line, "\n"))
		}
	}
	return exitFailed
}

// usageError is a command line that was not understood.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "mediagate",
		Short: "Gateway and load balancer for Windows Media Services and RTSP media servers",
		Long: "mediagate stands between players and the servers of Windows Media and RTSP. It chooses a server for each session,\n" +
			"carries the conversation and the media, and keeps a record of it.",
		Example: "  mediagate demo                            see it work, on this machine alone\n" +
			"  mediagate run --origin 192.0.2.11         stand in front of one server\n" +
			"  mediagate check -c mediagate.yaml         look for faults in a configuration\n" +
			"  mediagate doctor -c mediagate.yaml        test whether this machine has what it needs\n" +
			"  mediagate run -c mediagate.yaml           serve it\n" +
			"  mediagate sessions                        who plays now, through the gateway that runs\n" +
			"  mediagate decode stream.pcap              read in a capture why a stream does not play",
		Version: versionText(),

		SuggestionsMinimumDistance: 2, // letters that may be wrong in a command's name

		SilenceErrors: true, // told once, by execute
		SilenceUsage:  true, // a fault at run time is no reason to print all flags
		Args:          knownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("mediagate {{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usagef("%v", err) })
	root.AddCommand(newRun(), newCheck(), newDemo(), newOrigin(), newPlay(), newDecode(), newDoctor(), newSessions(), newNodes(), newPinholes(), newTop())
	strictHelpers(root)
	return root
}

// strictHelpers has the commands that cobra adds, help and completion, refuse what they do not know, as ours do.
func strictHelpers(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.Args = func(_ *cobra.Command, args []string) error {
				if found, rest, _ := root.Find(args); found == root || found.HasSubCommands() && len(rest) > 0 {
					return knownCommand(found, rest)
				}
				return nil
			}
		case "completion":
			cmd.Args = noArgs
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
			for _, shell := range cmd.Commands() {
				shell.Args = noArgs
			}
		}
	}
}

// knownCommand is reached when the first word is no command of ours.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf("; did you mean %q?", near[0])
	}
	return usagef("unknown command %q%s", args[0], hint)
}

// noArgs refuses words that are not flags.
func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("unexpected argument %q", args[0])
	}
	return nil
}

// oneOf refuses a value of a flag that is none of those known.
func oneOf(flag, got string, known ...string) error {
	if !slices.Contains(known, got) {
		return usagef("%s %q: choose one of %s", flag, got, strings.Join(known, ", "))
	}
	return nil
}

// logLevel is what a flag says of how much is told.
func logLevel(got string) error { return oneOf("--log-level", got, "debug", "info", "warn", "error") }

// versionText is the stamped version, else what the module system knows, else "devel"; and what it was built with.
func versionText() string {
	v := version
	if info, ok := debug.ReadBuildInfo(); ok && v == "" && info.Main.Version != "(devel)" {
		v = info.Main.Version
	}
	if v == "" {
		v = "devel"
	}
	return fmt.Sprintf("%s (%s, %s/%s)", v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
