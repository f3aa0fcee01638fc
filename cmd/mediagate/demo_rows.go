package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"mediagate/internal/player"
)

// demoRow is one way to play. blocked is how many upper steps of the ladder are refused, and makes the row one of
// rollover: protocol and transport are then those of the step that is to play.
type demoRow struct {
	name, scheme string
	protocol     string // that the session record must name
	transport    string // too
	blocked      int
}

// demoRows are in the order in which Windows Media Player tries them; then come the ladders.
var demoRows = []demoRow{
	{"rtspu", "rtspu", "rtsp", "udp", 0},
	{"rtspt", "rtspt", "rtsp", "interleaved", 0},
	{"mmsu", "mmsu", "mms", "udp", 0},
	{"mmst", "mmst", "mms", "interleaved", 0},
	{"http", "http", "http", "http", 0},
	{"rtsp in http", "rtsph", "rtsp", "tunnelled", 0},
	{"rollover to rtspt", "mms", "rtsp", "interleaved", 1},
	{"rollover to mmsu", "mms", "mms", "udp", 2},
	{"rollover to mmst", "mms", "mms", "interleaved", 3},
	{"rollover to http", "mms", "http", "http", 4},
}

// stepPatience is how long a step of the ladder that the gateway refuses may take on a busy machine. No timer of the
// player's is as short.
const stepPatience = 5 * time.Second

// demoURL is where the gateway serves the sample for a scheme. That of the ladder has no port: each step has its own.
func demoURL(scheme string, p demoPorts) string {
	host := demoGateway.String()
	switch {
	case scheme == "mms":
	case strings.HasPrefix(scheme, "mms"):
		host = netip.AddrPortFrom(demoGateway, p.mms).String()
	case scheme == "http", scheme == "rtsph":
		host = netip.AddrPortFrom(demoGateway, p.http).String()
	default:
		host = netip.AddrPortFrom(demoGateway, p.rtsp).String()
	}
	return scheme + "://" + host + samplePath
}

// ladderPorts are the ports of a ladder, so many of whose upper steps the gateway refuses: UDP at virtual servers that
// have none, RTSP and MMS where nobody listens.
func ladderPorts(blocked int, p demoPorts) player.Ports {
	rtsp := []uint16{p.rtsp, p.rtspTCP, p.closed, p.closed, p.closed}
	mms := []uint16{p.mms, p.mms, p.mms, p.mmsTCP, p.closed}
	return player.Ports{RTSP: rtsp[blocked], MMS: mms[blocked], HTTP: p.http}
}

// demoRecord is what demo reads of a session record; docs/sessionlog.md has all of it.
type demoRecord struct {
	Client    netip.AddrPort `json:"client"`
	Viewer    string         `json:"viewer"`
	URL       string         `json:"url"`
	Protocol  string         `json:"protocol"`
	Transport string         `json:"transport"`
	Node      string         `json:"node"`
	ToClient  struct {
		Packets uint64 `json:"packets"`
	} `json:"to_client"`
	Ladder []struct {
		Session string `json:"session"`
	} `json:"ladder"`
	Lost    uint64 `json:"lost"`
	End     string `json:"end"`
	Why     string `json:"why"`
	Interim bool   `json:"interim"`
}

// rowResult is one line of the table; fault is empty if all is well.
type rowResult struct {
	row     demoRow
	report  *player.Report
	record  *demoRecord  // of the session that played
	refused []demoRecord // of the steps before it that had a session
	fault   string
}

// playRows plays all rows at the same time, and looks at both ends' accounts of each. The results are in the rows' order.
func playRows(ctx context.Context, ports demoPorts, records string, log *zap.Logger) []rowResult {
	results := make([]rowResult, len(demoRows))
	var wg sync.WaitGroup
	for i, row := range demoRows {
		wg.Go(func() {
			r := &results[i]
			r.row = row
			var err error
			if r.report, err = playRow(ctx, row, ports, log); err == nil {
				r.record, r.refused, err = awaitRecord(ctx, records, r.report.Local)
			}
			if err != nil {
				r.fault = err.Error()
				return
			}
			if r.fault = compare(row, r.report, r.record); r.fault == "" {
				r.fault = compareLadder(row, r.report, r.record, r.refused)
			}
		})
	}
	wg.Wait()
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
	case rec.Protocol != row.protocol || rec.Transport != row.transport:
		return fmt.Sprintf("the session record says %s by transport %q, not %s by %q", rec.Protocol, rec.Transport, row.protocol, row.transport)
	case rec.ToClient.Packets < got.Packets || rec.ToClient.Packets > most:
		return fmt.Sprintf("the session record has %d packets, the player %d", rec.ToClient.Packets, got.Packets)
	case rec.Node == "":
		return "the session record names no node"
	}
	return ""
}

// compareLadder says what is wrong with the steps of a ladder: each but the last was refused, and none was waited for; the
// record of the last has those before it that had a session, as one viewer's.
func compareLadder(row demoRow, got *player.Report, rec *demoRecord, refused []demoRecord) string {
	if row.blocked == 0 {
		return ""
	}
	if len(got.Ladder) != row.blocked+1 {
		return fmt.Sprintf("step %d of the ladder played, not %d", len(got.Ladder), row.blocked+1)
	}
	for _, s := range got.Ladder[:row.blocked] {
		if s.Took > stepPatience {
			return fmt.Sprintf("the step %s took %s", s.Scheme, s.Took.Round(time.Millisecond))
		}
	}
	named := 0 // sessions that said what they were for; MMS does not before its funnel is connected
	for _, r := range refused {
		if r.Viewer != rec.Viewer {
			return fmt.Sprintf("the steps are those of two viewers, %q and %q", r.Viewer, rec.Viewer)
		}
		if strings.HasSuffix(r.URL, samplePath) {
			named++
		}
	}
	if n := len(rec.Ladder); n < named || n > len(refused) {
		return fmt.Sprintf("the session record has %d steps before it, %d had a session", len(rec.Ladder), len(refused))
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

// awaitRecord returns the record of the session that played, and those of sessions before it, of a player with these
// addresses. The gateway writes a record when both sides have ended, that of HTTP when no more requests come for a while.
func awaitRecord(ctx context.Context, path string, local []netip.AddrPort) (played *demoRecord, before []demoRecord, err error) {
	const patience, pause = 20 * time.Second, 20 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		records, err := readRecords(path)
		if err != nil {
			return nil, nil, err
		}
		before = nil
		for _, r := range records {
			switch {
			case !slices.Contains(local, r.Client):
			case r.ToClient.Packets > 0:
				return &r, before, nil
			default:
				before = append(before, r)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("no session record within %s", patience)
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
