package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"mediagate/internal/player"
)

// printTable prints a line for each row.
func printTable(w io.Writer, results []rowResult) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ROW\tTRANSPORT\tNODE\tPACKETS\tLOST\tBYTES\tFIRST PACKET\tRESULT")
	for _, r := range results {
		transport, node, result := "-", "-", "ok"
		if r.record != nil {
			transport, node = r.record.Transport, r.record.Node
		}
		report := r.report
		if report == nil {
			report = &player.Report{}
		}
		if r.fault != "" {
			result = "FAILED: " + r.fault
		} else if len(report.Ladder) > 1 {
			result += ", left" + leftSteps(report.Ladder)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%d\t%s\t%s\n", r.row.name, transport, node, report.Packets, report.Lost,
			report.Bytes, report.FirstPacket.Round(time.Millisecond), result)
	}
	_ = t.Flush() // a table that cannot be printed has nobody to tell
}

// leftSteps names the steps of a ladder that were left, and how long each was tried.
func leftSteps(ladder []player.LadderStep) string {
	var text strings.Builder
	for i, s := range ladder[:len(ladder)-1] {
		if i > 0 {
			text.WriteString(",")
		}
		fmt.Fprintf(&text, " %s %s", s.Scheme, s.Took.Round(100*time.Microsecond))
	}
	return text.String()
}

// printURLs tells what to paste into other players.
func printURLs(w io.Writer, p demoPorts) {
	rtsp, tunnel := demoURL("rtsp", p), strings.Replace(demoURL("rtsph", p), "rtsph", "rtsp", 1)
	fmt.Fprintf(w, "\nrunning until a signal; play it with\n"+
		"  ffplay -rtsp_transport udp %[1]s\n"+
		"  ffplay -rtsp_transport tcp %[1]s\n"+
		"  ffplay -rtsp_transport http %[2]s\n"+
		"  vlc %[3]s\n"+
		"  ffplay %[4]s\n"+
		"  ffplay %[5]s\n"+
		"  vlc %[6]s\n"+
		"  mediagate play %[1]s\n",
		rtsp, tunnel, demoURL("mmsu", p), demoURL("mmst", p), strings.Replace(demoURL("http", p), "http", "mmsh", 1), demoURL("http", p))
	for _, scheme := range []string{"rtsph", "mmst", "http"} {
		fmt.Fprintf(w, "  mediagate play %s\n", demoURL(scheme, p))
	}
	fmt.Fprintf(w, "  mediagate play --rollover --rtsp-port %d --mms-port %d --http-port %d %s\n", p.rtspTCP, p.mms, p.http, demoURL("mms", p))
}
