package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"mediagate/internal/decode"
)

func newDecode() *cobra.Command {
	var asJSON bool
	var text decode.TextOptions
	cmd := &cobra.Command{
		Use:   "decode FILE",
		Short: "Print the RTSP, MMS and HTTP conversations of a packet capture, and what is wrong with them",
		Long: "decode reads a capture of tcpdump, tshark or Wireshark (pcap or pcapng, also packed with gzip; - is standard input),\n" +
			"or a trace of mediagate, and finds the conversations of RTSP, RTSP tunnelled in HTTP, MMS and Windows Media HTTP in it, on any port. It prints\n" +
			"them message by message, counts the media and joins it to the SETUP or funnel that asked for it, and ends with what\n" +
			"is wrong: no media though it was agreed on, media from or to another port or address, loss and on which leg, refusals\n" +
			"and what they mean, ICMP errors, resets, silence. docs/decode.md explains each finding.\n\n" +
			"In the left margin > is what the client said, < what the server said, => and <= are media, ! is what is missing or\n" +
			"cannot be read. Passwords and signatures are not printed.\n\n" +
			"The exit code is 0 if the file could be read, whatever was found in it, also if it is cut off; 1 if it is no capture.",
		Example: "  tcpdump -i any -w stream.pcap 'port 554 or port 1755 or udp'\n" +
			"  mediagate decode stream.pcap\n" +
			"  mediagate decode --brief stream.pcap\n" +
			"  mediagate decode --json stream.pcap | jq '.findings[]'\n" +
			"  tcpdump -i any -w - -G 60 -W 1 tcp port 554 or udp | mediagate decode -",
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			if asJSON && text != (decode.TextOptions{}) {
				return usagef("--brief and --conversation are for the text; a JSON document has all")
			}
			report, err := decodeFile(args[0], cmd.InOrStdin())
			if err != nil {
				return err
			}
			if text.Only < 0 || text.Only > len(report.Conversations) {
				return fmt.Errorf("decode: no conversation %d: there are %d", text.Only, len(report.Conversations))
			}
			if asJSON {
				return report.WriteJSON(cmd.OutOrStdout())
			}
			return report.WriteText(cmd.OutOrStdout(), text)
		},
	}
	fs := cmd.Flags()
	fs.BoolVar(&asJSON, "json", false, "print one JSON document, as docs/decode.md has it")
	fs.BoolVar(&text.Brief, "brief", false, "print the first line of each message only")
	fs.IntVar(&text.Only, "conversation", 0, "print only conversation `N`")
	return cmd
}

func oneFile(_ *cobra.Command, args []string) error {
	if len(args) != 1 || args[0] == "" {
		return usagef("name one capture file, or - for standard input")
	}
	return nil
}

func decodeFile(name string, stdin io.Reader) (*decode.Report, error) {
	if name == "-" {
		return decode.Read(stdin, decode.Limits{})
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("decode: open file: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	return decode.Read(f, decode.Limits{})
}
