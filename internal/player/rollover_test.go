package player_test

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"mediagate/internal/origin"
	"mediagate/internal/player"
)

// closedPort is one of an address where nobody listens.
func closedPort(t *testing.T, address string) uint16 {
	t.Helper()
	l, err := net.Listen("tcp", address+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).AddrPort().Port()
}

// refusing is an RTSP server that answers everything with a status.
func refusing(t *testing.T, address, status string) uint16 {
	t.Helper()
	l, err := net.Listen("tcp", address+":0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b := make([]byte, 4096)
			if n, err := c.Read(b); err == nil {
				_, rest, _ := strings.Cut(string(b[:n]), "CSeq: ")
				cseq, _, _ := strings.Cut(rest, "\r\n")
				_, _ = c.Write([]byte("RTSP/1.0 " + status + "\r\nCSeq: " + cseq + "\r\n\r\n"))
			}
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return l.Addr().(*net.TCPAddr).AddrPort().Port()
}

// TestRollover climbs down from the first step to the last, each refused in another way, and at once.
func TestRollover(t *testing.T) {
	const address = "127.0.0.124"
	addr := netip.AddrPortFrom(netip.MustParseAddr(address), 0)
	tcpOnly := func(t *testing.T) *origin.Server {
		return start(t, address, origin.Config{Speed: 50, MMS: addr, HTTP: addr, RefuseUDP: true})
	}
	for _, c := range []struct {
		name, scheme string
		ports        func(t *testing.T, s *origin.Server) player.Ports
		left         []string // what the steps were left for
		plays        string
	}{
		{"rtspu", "rtsp://", func(_ *testing.T, s *origin.Server) player.Ports {
			return player.Ports{RTSP: s.Addr().Port()}
		}, nil, "rtspu"},
		{"mmst", "", func(t *testing.T, s *origin.Server) player.Ports {
			return player.Ports{RTSP: closedPort(t, address), MMS: s.MMSAddr().Port()}
		}, []string{"refused", "refused", "transport refused"}, "mmst"},
		{"http, no ports", "rtsp://", func(t *testing.T, s *origin.Server) player.Ports {
			return player.Ports{RTSP: closedPort(t, address), MMS: closedPort(t, address), HTTP: s.HTTPAddr().Port()}
		}, []string{"refused", "refused", "refused", "refused"}, "http"},
		{"http, busy", "mms://", func(t *testing.T, s *origin.Server) player.Ports {
			return player.Ports{RTSP: refusing(t, address, "453 Not Enough Bandwidth"), MMS: closedPort(t, address), HTTP: s.HTTPAddr().Port()}
		}, []string{"453", "453", "refused", "refused"}, "http"},
		{"none", "mms://", func(t *testing.T, _ *origin.Server) player.Ports {
			p := closedPort(t, address)
			return player.Ports{RTSP: p, MMS: p, HTTP: p}
		}, []string{"refused", "refused", "refused", "refused", "refused"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer within(t, 10*time.Second)()
			s := tcpOnly(t)
			r, err := player.Play(t.Context(), player.Options{
				URL: c.scheme + address + "/sample.wmv", Rollover: true, Ports: c.ports(t, s), PacketPair: true, Resend: true,
			})
			if (err == nil) != (c.plays != "") || err != nil && !strings.Contains(err.Error(), "no step plays") {
				t.Fatalf("error %v", err)
			}
			order := []string{"rtspu", "rtspt", "mmsu", "mmst", "http"}
			for i, step := range r.Ladder {
				why := ""
				if i < len(c.left) {
					why = c.left[i]
				}
				if step.Scheme != order[i] || (why == "") != (step.Why == "") || !strings.Contains(step.Why, why) || why != "" && step.Took > 5*time.Second { // silence takes 8
					t.Errorf("step %d: %+v, want %q", i, step, why)
				}
			}
			if n := len(r.Ladder); c.plays != "" && (n == 0 || r.Ladder[n-1].Scheme != c.plays || !r.EndOfStream || r.Packets == 0) {
				t.Errorf("report %+v", r)
			}
		})
	}
}

// TestRolloverOneGUID holds that all steps come from one player.
func TestRolloverOneGUID(t *testing.T) {
	const address = "127.0.0.125"
	addr := netip.AddrPortFrom(netip.MustParseAddr(address), 0)
	s := start(t, address, origin.Config{Speed: 50, MMS: addr, HTTP: addr})
	r, err := player.Play(t.Context(), player.Options{
		URL: "rtsp://" + s.Addr().String() + "/none.wmv", Rollover: true,
		Ports: player.Ports{MMS: s.MMSAddr().Port(), HTTP: s.HTTPAddr().Port()},
	})
	if err == nil || len(r.Ladder) != 5 {
		t.Errorf("ladder %+v, error %v", r.Ladder, err)
	}
	log := s.Snapshot()
	var guids []string
	for _, q := range log.Requests {
		_, id, _ := strings.Cut(q.UserAgent, "guid/")
		guids = append(guids, "{"+id+"}")
	}
	for _, q := range log.HTTP {
		guids = append(guids, q.GUID)
	}
	slices.Sort(guids)
	if guids = slices.Compact(guids); len(guids) != 1 || len(guids[0]) != 38 {
		t.Errorf("GUIDs %q", guids)
	}
}

// TestRolloverBreaksOff holds that a stream that breaks off is no reason to go on.
func TestRolloverBreaksOff(t *testing.T) {
	const address = "127.0.0.127"
	came := make(chan struct{}) // the end of the connection, seen before the datagrams, would make it a step without media
	x := serve(t, address, script{breakAt: 5, breakAfter: came})
	some := &atFirst{do: func() { close(came) }}
	t.Cleanup(func() { some.once.Do(some.do) })
	r, err := player.Play(t.Context(), player.Options{
		URL: "mms://" + x.at().String() + "/x.wmv", Rollover: true, Ports: player.Ports{RTSP: closedPort(t, address)}, Output: some,
	})
	if err == nil || r.Packets == 0 || r.Packets > 5 || len(r.Ladder) != 3 || r.Ladder[2].Scheme != "mmsu" {
		t.Errorf("report %+v, error %v", r, err)
	}
}

// TestRolloverSilence holds that a step without media is left when its time is over, or when its end is told, and the
// next one plays.
func TestRolloverSilence(t *testing.T) {
	for _, c := range []struct {
		name, address string
		cfg           origin.Config
		least, most   time.Duration
	}{
		{"time is over", "127.0.0.128", origin.Config{DropEvery: 1}, 8 * time.Second, 10 * time.Second},
		{"end is told", "127.0.0.129", origin.Config{DropEvery: 1, Speed: 50}, 0, 5 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, c.address, c.cfg)
			r := play(t, player.Options{URL: s.URL("/sample.wmv"), Rollover: true, Duration: 500 * time.Millisecond})
			if len(r.Ladder) != 2 || r.Transport != "tcp" || r.Packets == 0 {
				t.Fatalf("report %+v", r)
			}
			if silent := r.Ladder[0]; silent.Took < c.least || silent.Took > c.most || r.FirstPacket < silent.Took ||
				!strings.Contains(silent.Why, "no packet came in time") {
				t.Errorf("%+v, first packet after %s", silent, r.FirstPacket)
			}
		})
	}
}
