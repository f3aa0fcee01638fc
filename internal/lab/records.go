package lab

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os"
	"testing"
	"time"
)

// Record is a session record as a reader of the file sees it. The fields are
// declared here once more, so that a changed name or form in the writer fails
// a test; docs/sessionlog.md has their meaning.
type Record struct {
	V             int            `json:"v"`
	ID            string         `json:"id"`
	Viewer        string         `json:"viewer"`
	VirtualServer string         `json:"virtual_server"`
	Protocol      string         `json:"protocol"`
	Transport     string         `json:"transport"`
	Mode          string         `json:"mode"`
	Client        netip.AddrPort `json:"client"`
	Node          string         `json:"node"`
	SeenAs        netip.AddrPort `json:"seen_as"`
	MediaSeenAs   netip.AddrPort `json:"media_seen_as"`
	URL           string         `json:"url"`
	UserAgent     string         `json:"user_agent"`
	Start         time.Time      `json:"start"`
	Duration      float64        `json:"duration"`
	FirstMedia    *float64       `json:"first_media"`
	Requests      uint64         `json:"requests"`

	FromOrigin Traffic `json:"from_origin"`
	ToClient   Traffic `json:"to_client"`
	FromClient Traffic `json:"from_client"`
	ToOrigin   Traffic `json:"to_origin"`

	Lost           uint64            `json:"lost"`
	Resent         uint64            `json:"resent"`
	ResendRequests uint64            `json:"resend_requests"`
	Drops          map[string]uint64 `json:"drops"`
	SkippedBytes   uint64            `json:"skipped_bytes"`
	ClientLog      map[string]any    `json:"client_log"`
	NodesTried     []string          `json:"nodes_tried"`
	End            string            `json:"end"`
	Why            string            `json:"why"`
	Causes         []string          `json:"causes"`
	Interim        bool              `json:"interim"`
	Ladder         []Step            `json:"ladder"`
}

// Step is a session of the same viewer that came before.
type Step struct {
	Session   string `json:"session"`
	Protocol  string `json:"protocol"`
	Transport string `json:"transport"`
	End       string `json:"end"`
	Why       string `json:"why"`
}

// Traffic is one direction of a record.
type Traffic struct {
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
}

// Records reads every whole line of a record file; a file that is not there
// yet has none.
func Records(t testing.TB, path string) []Record {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatalf("lab: read records: %v", err)
	}
	var all []Record
	for {
		line, rest, whole := bytes.Cut(data, []byte{'\n'})
		if !whole {
			return all // the rest is being written
		}
		data = rest
		var r Record
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("lab: read record %q: %v", line, err)
		}
		all = append(all, r)
	}
}

// WaitRecord waits for a final record that match accepts, and fails the test
// with what there is if none comes within the time.
func WaitRecord(t testing.TB, path string, within time.Duration, match func(Record) bool) Record {
	t.Helper()
	var all []Record
	var found *Record
	Eventually(within, func() bool {
		all = Records(t, path)
		for _, r := range all {
			if !r.Interim && match(r) {
				found = &r
			}
		}
		return found != nil
	})
	if found == nil {
		t.Fatalf("lab: no such record after %v; there are %d: %s", within, len(all), show(all))
	}
	return *found
}

// show prints records as the file has them.
func show(all []Record) []byte {
	text, _ := json.MarshalIndent(all, "", " ") // a struct of plain fields: cannot fail
	return text
}
