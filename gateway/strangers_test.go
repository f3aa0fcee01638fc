package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"mediagate/internal/config"
	"mediagate/internal/sessionlog"
)

// TestStrangers: a burst passes, then so many a second, and the others are told of in the next.
func TestStrangers(t *testing.T) {
	now := time.Now()
	s := newStrangers(now)
	one := func() *sessionlog.Record {
		return &sessionlog.Record{Why: "w", End: sessionlog.EndState{Who: sessionlog.WhoClient, Phase: sessionlog.PhaseAccept}}
	}
	written := 0
	for range strangerBurst + 7 {
		if s.admit(one(), now) {
			written++
		}
	}
	if written != strangerBurst {
		t.Errorf("%d records in a burst, want %d", written, strangerBurst)
	}
	for name, r := range map[string]*sessionlog.Record{
		"one that asked": {Requests: 1, End: one().End}, "a session": {End: sessionlog.EndState{Who: 'C', Phase: 'P'}},
		"one that goes on": {Interim: true, End: one().End},
	} {
		if !s.admit(r, now) || r.Why != "" {
			t.Errorf("%s: held up, or told %q", name, r.Why)
		}
	}
	later := now.Add(time.Second / strangerRate)
	if r := one(); !s.admit(r, later) || r.Why != "w; 7 more connections without a request have no record" {
		t.Errorf("why %q", r.Why)
	}
	if s.admit(one(), now) { // the clock went back
		t.Error("one too many")
	}
	core, logged := observer.New(zap.WarnLevel)
	s.close(zap.New(core))
	s.close(zap.New(core))
	if all := logged.All(); len(all) != 1 || all[0].ContextMap()["connections"] != uint64(1) {
		t.Errorf("logged %v", all)
	}
	if r := one(); !s.admit(r, later.Add(time.Hour)) || r.Why != "w" {
		t.Errorf("why %q", r.Why)
	}
}

// strangerGate runs a gateway for RTSP, MMS and HTTP at 127.0.0.220, which waits so long for the first request, and returns
// where, and the file of its records.
func strangerGate(t *testing.T, connections int, first string) (at map[string]string, g *Gateway, log string) {
	t.Helper()
	log = filepath.Join(t.TempDir(), "records")
	yaml := fmt.Sprintf("limits: {connections: %d}\ntimeouts: {first_request: %s}\nsessions: {log: %q}\nvirtual_servers:\n", connections, first, log)
	for p, port := range map[string]int{"rtsp": 7554, "mms": 7755, "http": 7080} {
		yaml += fmt.Sprintf("  - {name: %s, protocol: %s, listen: [\"127.0.0.220:%d\"], pool: p, udp: false}\n", p, p, port)
	}
	yaml += "pools:\n  - {name: p, monitor: {interval: 0s}, nodes: [{name: n1, address: 127.0.0.221}]}\n"
	cfg, err := config.Parse("test.yaml", []byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	if g, err = New(cfg, Options{}); err != nil {
		t.Fatal(err)
	}
	start(t, g)
	at = make(map[string]string)
	for name, addrs := range g.Addrs() {
		at[name] = addrs[0].String()
	}
	return at, g, log
}

// stranger connects, says something, and reads until the gateway closes.
func stranger(t *testing.T, at, say string) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = io.WriteString(conn, say) // one over the limit may be closed already
	_, _ = io.Copy(io.Discard, conn)
}

func recordsIn(t *testing.T, file string) (all []*sessionlog.Record) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var r struct{ Protocol, End, Why string }
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		all = append(all, &sessionlog.Record{Protocol: r.Protocol, Why: r.End + " " + r.Why})
	}
	return all
}

// TestStrangersHaveRecords: who connects and speaks something else, or nothing, has a record that names it.
func TestStrangersHaveRecords(t *testing.T) {
	const hello = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
	t.Run("who speaks", func(t *testing.T) {
		strangersHaveRecords(t, "1m", []strangerCase{
			{"rtsp", hello, "CA the player sent what cannot be read"},
			{"mms", hello, "CA the player spoke TLS to a port for MMS"},
			{"mms", "\x16", "CA the player spoke TLS to a port for MMS"},
			{"mms", "GET / HTTP/1.0\r\n\r\n", "CA the player spoke HTTP to a port for MMS"},
			{"mms", "OPTIONS rtsp://gw.test/ RTSP/1.0\r\nCSeq: 1\r\n\r\n", "CA the player spoke RTSP to a port for MMS"},
			{"mms", "SSH-2.0-x\r\n", "CA the player spoke nothing that is known here to a port for MMS"},
			{"mms", "\x00", "CA the player spoke nothing that is known here to a port for MMS"},
			{"mms", "\x01\x00\x00\x00\xce\xfa\x0b\xb1", "CA the player spoke nothing that is known here to a port for MMS"},
			{"http", hello, "CA the player spoke TLS to a port that has none"},
		})
	})
	t.Run("who is silent", func(t *testing.T) {
		strangersHaveRecords(t, "1s", []strangerCase{
			{"rtsp", "", "cA no request within 1s"},
			{"mms", "\x01\x00\x00", "cA no request within 1s"},
		})
	})
}

// strangerCase is a connection to a virtual server, and how its record begins.
type strangerCase struct{ to, say, want string }

func strangersHaveRecords(t *testing.T, first string, cases []strangerCase) {
	at, g, log := strangerGate(t, 10, first)
	for _, tc := range cases {
		stranger(t, at[tc.to], tc.say)
	}
	if err := g.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	all := recordsIn(t, log)
	if len(all) != len(cases) {
		t.Fatalf("%d records of %d connections", len(all), len(cases))
	}
	for _, tc := range cases { // a record is written when the connection is closed already: in any order
		at := slices.IndexFunc(all, func(r *sessionlog.Record) bool { return r.Protocol == tc.to && strings.HasPrefix(r.Why, tc.want) })
		if at < 0 {
			t.Errorf("%s %q: no record says %s", tc.to, tc.say, tc.want)
			continue
		}
		all = slices.Delete(all, at, at+1)
	}
}

// TestStrangersInFlood: many more connections than the limit, to all ports; each is in a record, or in the number that one
// tells.
func TestStrangersInFlood(t *testing.T) {
	const each = 120
	at, g, log := strangerGate(t, 1, "1m")
	var held []net.Conn
	for _, to := range []string{"rtsp", "mms"} { // takes the only place
		conn, err := net.Dial("tcp", at[to])
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		held = append(held, conn)
	}
	for range each {
		stranger(t, at["mms"], "")
		stranger(t, at["rtsp"], "\x16\x03\x01")
	}
	g.strangers.mu.Lock()
	g.strangers.room = 10 // also for those before, whose records may come after their connections have ended
	g.strangers.mu.Unlock()
	stranger(t, at["mms"], "")
	for _, conn := range held {
		_ = conn.Close()
	}
	if err := g.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	more := regexp.MustCompile(`; (\d+) more connections without a request have no record`)
	told, written := 0, recordsIn(t, log)
	busy := false
	for _, r := range written {
		if m := more.FindStringSubmatch(r.Why); m != nil {
			n, err := strconv.Atoi(m[1])
			if err != nil {
				t.Fatal(err)
			}
			told += n
		}
		busy = busy || r.Protocol == "mms" && strings.HasPrefix(r.Why, "RA the limit of connections is reached")
	}
	// The two that held the places are told of, or not at all.
	if all := len(written) + told; all < 2*each+1 || all > 2*each+3 || told == 0 || !busy {
		t.Errorf("%d records tell of %d more; %d connections were made; over the limit of MMS: %v", len(written), told, 2*each+3, busy)
	}
}
