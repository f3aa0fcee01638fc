package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"go.uber.org/zap"

	"mediagate/internal/player"
)

// demoRow is one way to play, in the order in which Windows Media Player tries them.
type demoRow struct {
	scheme string
	record string // the transport that the session record must name
}

var demoRows = []demoRow{{"rtspu", "udp"}, {"rtspt", "interleaved"}, {"mmsu", "udp"}, {"mmst", "interleaved"}}

// demoURL is where the gateway serves the sample for a scheme.
func demoURL(scheme string, p demoPorts) string {
	port := p.rtsp
	if strings.HasPrefix(scheme, "mms") {
		port = p.mms
	}
	return scheme + "://" + netip.AddrPortFrom(demoGateway, port).String() + samplePath
}

// demoRecord is what demo reads of a session record; docs/sessionlog.md has all of it.
type demoRecord struct {
	Transport string `json:"transport"`
	Node      string `json:"node"`
	ToClient  struct {
		Packets uint64 `json:"packets"`
	} `json:"to_client"`
	Lost    uint64 `json:"lost"`
	End     string `json:"end"`
	Why     string `json:"why"`
	Interim bool   `json:"interim"`
}

// rowResult is one line of the table; fault is empty if all is well.
type rowResult struct {
	row    demoRow
	report *player.Report
	record *demoRecord
	fault  string
}

// playRows plays every row, one after the other, and looks at both ends' accounts of it.
func playRows(ctx context.Context, ports demoPorts, records string, log *zap.Logger) []rowResult {
	var results []rowResult
	for i, row := range demoRows {
		if ctx.Err() != nil {
			break
		}
		r := rowResult{row: row}
		var err error
		r.report, err = playRow(ctx, demoURL(row.scheme, ports), log)
		if err != nil {
			r.fault = err.Error()
		} else if r.record, err = awaitRecord(ctx, records, i); err != nil {
			r.fault = err.Error()
		} else {
			r.fault = compare(row, r.report, r.record)
		}
		results = append(results, r)
	}
	if fault := spread(results); fault != "" {
		results[len(results)-1].fault = fault
	}
	return results
}

// compare says how the player's report and the session record contradict each other or what was asked for.
func compare(row demoRow, got *player.Report, rec *demoRecord) string {
	// The record counts RTCP too, and what was on its way when the player hung up.
	most := got.Packets + got.Packets/10 + 50
	switch {
	case got.Packets == 0:
		return "no media came"
	case got.Lost > 0:
		return fmt.Sprintf("%d packets lost", got.Lost)
	case !got.EndOfStream:
		return "the end of the stream was not told"
	case rec.Transport != row.record:
		return fmt.Sprintf("the session record says transport %q, not %q", rec.Transport, row.record)
	case rec.ToClient.Packets < got.Packets || rec.ToClient.Packets > most:
		return fmt.Sprintf("the session record has %d packets, the player %d", rec.ToClient.Packets, got.Packets)
	case rec.Node == "":
		return "the session record names no node"
	}
	return ""
}

// spread says whether rows that went well all went to one node.
func spread(results []rowResult) string {
	nodes := map[string]bool{}
	for _, r := range results {
		if r.fault != "" || r.record == nil {
			return "" // that row has its own fault
		}
		nodes[r.record.Node] = true
	}
	if len(results) >= len(demoOrigins) && len(nodes) < len(demoOrigins) {
		return "every session went to one node"
	}
	return ""
}

// awaitRecord returns the i-th session record. The gateway writes it when both sides have ended, shortly after the
// player has.
func awaitRecord(ctx context.Context, path string, i int) (*demoRecord, error) {
	const patience, pause = 5 * time.Second, 20 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		records, err := readRecords(path)
		if err != nil {
			return nil, err
		}
		if i < len(records) {
			return &records[i], nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("no session record within %s", patience)
		}
	}
}

// readRecords returns the records of sessions that have ended. A last line without its end is still being written.
func readRecords(path string) ([]demoRecord, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("demo: read session records: %w", err)
	}
	var records []demoRecord
	for line := range strings.Lines(string(data)) {
		if !strings.HasSuffix(line, "\n") {
			break
		}
		var r demoRecord
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			return nil, fmt.Errorf("demo: read session record: %w", err)
		}
		if !r.Interim {
			records = append(records, r)
		}
	}
	return records, nil
}

// printTable prints a line for each row.
func printTable(w io.Writer, results []rowResult) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ROW\tTRANSPORT\tNODE\tPACKETS\tLOST\tBYTES\tFIRST PACKET\tRESULT")
	for _, r := range results {
		transport, node, result := "-", "-", "ok"
		if r.record != nil {
			transport, node = r.record.Transport, r.record.Node
		}
		if r.fault != "" {
			result = "FAILED: " + r.fault
		}
		report := r.report
		if report == nil {
			report = &player.Report{}
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%d\t%s\t%s\n", r.row.scheme, transport, node, report.Packets, report.Lost,
			report.Bytes, report.FirstPacket.Round(time.Millisecond), result)
	}
	_ = t.Flush() // a table that cannot be printed has nobody to tell
}

// printURLs tells what to paste into other players.
func printURLs(w io.Writer, ports demoPorts) {
	fmt.Fprintf(w, "\nrunning until a signal; play it with\n"+
		"  ffplay -rtsp_transport udp %[1]s\n"+
		"  ffplay -rtsp_transport tcp %[1]s\n"+
		"  mediagate play %[1]s\n"+
		"  vlc %[2]s\n"+
		"  ffplay %[3]s\n"+
		"  mediagate play %[4]s\n",
		demoURL("rtsp", ports), demoURL("mmsu", ports), demoURL("mmst", ports), demoURL("mms", ports))
}
