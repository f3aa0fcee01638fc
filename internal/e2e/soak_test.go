package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"mediagate/internal/lab"
	"mediagate/internal/player"
)

// Variables of the environment that make the soak longer or larger.
const (
	soakTime     = "MEDIAGATE_SOAK"          // how long, such as "10m"
	soakSessions = "MEDIAGATE_SOAK_SESSIONS" // how many at a time
)

const (
	// soakRounds are the parts of a soak. After each, everything must be as it was after the first, which has
	// filled what is filled once.
	soakRounds = 4
	// soakPerSession is how many descriptors a session takes on average, at most, those of its player included: RTSP over UDP
	// takes 13, the other ways 3 to 6.
	soakPerSession = 8
	// soakGrowth is by how many bytes the heap may have grown at rest, from the end of the first round to that of the
	// last, and soakGrowthEach by how many more for each session of those at a time: tables keep who was there a moment
	// ago, and do not shrink.
	soakGrowth, soakGrowthEach = 4 << 20, 2 << 10
	// soakDetached is the longest that a session over UDP outlives a connection that broke, or the end of a player that
	// stopped in its setup: the origin's timeout of 60 s (RFC 2326, section 12.37) and a margin.
	soakDetached = 75 * time.Second
)

// errStopped is why a player stops before its time.
var errStopped = errors.New("stopped")

// soakSchemes are the ways by which a soak's players come; a broken one is a connection that breaks off.
var soakSchemes = []string{"rtspu", "rtspt", "mmsu", "mmst", "http", "rtsph", "broken"}

// soak is players that come and go.
type soak struct {
	t     *testing.T
	g     *inProcess
	ports map[string]uint16 // of the gateway, by the first four letters of a scheme
	life  time.Duration     // the longest that a player stays

	came, stopped, broken, packets, present, peak atomic.Int64

	mu     sync.Mutex
	faults []string
}

// TestSoak: players of all protocols come and go, end as they should or vanish; at rest nothing is left of them, and
// after hours there would be no more than after minutes.
func TestSoak(t *testing.T) {
	length := soakSetting(t, soakTime, time.Minute, time.ParseDuration)
	sessions := soakSetting(t, soakSessions, 300, strconv.Atoi)
	needDescriptors(t, sessions*soakPerSession)
	s := newSoak(t, length/soakRounds/3)
	var first, last usage
	for round := range soakRounds {
		s.round(sessions, length/soakRounds, uint64(round))
		s.g.empties(t, soakDetached+recordLimit)
		last = measure(t, s.g, first)
		if round == 0 {
			first = last
		}
		t.Logf("round %d: at most %d at a time; so far %d came, %d stopped early, %d broke off, %d packets; at rest %s",
			round+1, s.peak.Swap(0), s.came.Load(), s.stopped.Load(), s.broken.Load(), s.packets.Load(), last)
		if t.Failed() || len(s.faults) > 0 {
			break
		}
	}
	for _, f := range s.faults {
		t.Error(f)
	}
	last.flat(t, first, sessions)
	s.judge(sessions)
}

// soakSetting reads a variable of the environment.
func soakSetting[T any](t *testing.T, name string, usual T, parse func(string) (T, error)) T {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return usual
	}
	v, err := parse(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

// newSoak runs a slow origin, so that many sessions cost little, and a gateway of three virtual servers.
func newSoak(t *testing.T, life time.Duration) *soak {
	t.Helper()
	lab.Leak(t)
	origin, addr := slowOrigin(t), lab.Loopback(t)
	s := &soak{t: t, life: life, ports: map[string]uint16{}}
	places := lab.FreePorts(t, addr, 3)
	settings := lab.Settings{Listen: places[0], Records: filepath.Join(t.TempDir(), "sessions.jsonl")}
	var b strings.Builder
	fmt.Fprintf(&b, "sessions: {log: %q}\nlimits: {connections: 100000}\nviewers: {window: 1s}\n", settings.Records)
	// The machine is busy with players and origin too, and being slow is no fault here.
	b.WriteString("timeouts: {connect: 20s, response: 30s}\nvirtual_servers:\n")
	for i, protocol := range []string{"rtsp", "mms", "http"} {
		fmt.Fprintf(&b, "  - {name: %s, protocol: %s, listen: [%q], pool: origins, affinity: 1s}\n", protocol, protocol, places[i])
		s.ports[protocol[:3]] = places[i].Port()
	}
	b.WriteString("pools:\n  - name: origins\n    monitor: {interval: 0s}\n    nodes:\n")
	fmt.Fprintf(&b, "      - {name: wms, address: %s, ports: {rtsp: %d, mms: %d, http: %d}}\n", origin.addr, origin.rtsp, origin.mms, origin.http)
	fmt.Fprintf(&b, "relay: {origin_media: {ports: %d-%d}}\n", soakPortLo, soakPortHi)
	s.g = runInProcess(t, settings, b.String())
	return s
}

// round keeps players coming for a time, in as many slots.
func (s *soak) round(slots int, length time.Duration, seed uint64) {
	until := time.Now().Add(length)
	var group errgroup.Group
	for slot := range slots {
		group.Go(func() error {
			random := rand.New(rand.NewPCG(seed, uint64(slot)))
			time.Sleep(time.Duration(random.Int64N(int64(length / 4)))) // they do not all come at once
			for first := true; first || time.Now().Before(until); first = false {
				s.session(random, time.Until(until))
			}
			return nil
		})
	}
	_ = group.Wait() // the faults are kept apart
}

// session is one player's: it comes, stays and leaves. left is what is left of the round.
func (s *soak) session(random *rand.Rand, left time.Duration) {
	scheme := soakSchemes[random.IntN(len(soakSchemes))]
	stay := s.life/10 + time.Duration(random.Int64N(int64(s.life)))
	early := random.IntN(4) == 0
	s.came.Add(1)
	if n := s.present.Add(1); n > s.peak.Load() {
		s.peak.Store(n)
	}
	defer s.present.Add(-1)
	if scheme == "broken" {
		s.broken.Add(1)
		s.breakOff(random, stay, left > soakDetached)
		return
	}
	s.play(scheme, stay, early)
}

// play plays for a time; early has the player stop in the middle of whatever it does then.
func (s *soak) play(scheme string, stay time.Duration, early bool) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	if early {
		timer := time.AfterFunc(stay, func() { cancel(errStopped) })
		defer timer.Stop()
		stay = 0 // to the end of the content, which it does not see
	}
	report, err := player.Play(ctx, player.Options{URL: s.url(scheme), Duration: stay, Resend: true})
	s.packets.Add(int64(report.Packets))
	switch {
	case errors.Is(context.Cause(ctx), errStopped):
		s.stopped.Add(1)
	case err != nil || report.Packets == 0:
		s.fault("%s: %d packets, %v: %s", scheme, report.Packets, err, strings.Join(report.Steps, "; "))
	}
}

// breakOff is a client that asks for media, without waiting for answers, and goes without a word at any byte of that,
// some by a reset. A session over UDP outlives its connection, if there is time for that.
func (s *soak) breakOff(random *rand.Rand, stay time.Duration, udp bool) {
	conn, err := net.Dial("tcp", s.g.settings.Listen.String())
	if err != nil {
		s.fault("broken: %v", err)
		return
	}
	defer func() { _ = conn.Close() }()
	url, transport := s.url("rtsp"), "RTP/AVP/TCP;unicast;interleaved=0-1"
	if udp {
		transport = "RTP/AVP/UDP;unicast;client_port=40000-40001"
	}
	talk := "DESCRIBE " + url + " RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n" +
		"SETUP " + url + "/audio RTSP/1.0\r\nCSeq: 2\r\nTransport: " + transport + "\r\n\r\n"
	if random.IntN(2) == 0 {
		talk = talk[:1+random.IntN(len(talk))]
	}
	_, _ = conn.Write([]byte(talk)) // it may be refused by then
	_ = conn.SetReadDeadline(time.Now().Add(stay / 4))
	_, _ = io.Copy(io.Discard, conn) // the answers, or the time
	if random.IntN(2) == 0 {
		_ = conn.(*net.TCPConn).SetLinger(0) // RFC 9293, section 3.10.4: an abort
	}
}

// url is where a scheme's players find the sample.
func (s *soak) url(scheme string) string {
	port := s.ports[scheme[:3]]
	if scheme == "http" {
		port = s.ports["htt"]
	}
	return fmt.Sprintf("%s://%s/sample.wmv", scheme, netip.AddrPortFrom(s.g.settings.Listen.Addr(), port))
}

// fault keeps what went wrong, the first few of it.
func (s *soak) fault(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.faults) < 10 {
		s.faults = append(s.faults, fmt.Sprintf(format, args...))
	}
}

// judge looks at the records: one at least for each player that has not stopped, perhaps before it was connected; each
// ended by the player or by nobody.
func (s *soak) judge(sessions int) {
	s.t.Helper()
	ends, transports := map[string]int{}, map[string]int{}
	all := lab.Records(s.t, s.g.settings.Records)
	for _, r := range all {
		ends[r.End]++
		transports[r.Protocol+" over "+r.Transport]++
		if !strings.ContainsAny(r.End[:1], "-Cc") {
			s.t.Errorf("a session ended with %s: %s", r.End, r.Why)
		}
	}
	s.t.Logf("records: %v, %v", transports, ends)
	if len(all) < int(s.came.Load()-s.stopped.Load()) {
		s.t.Errorf("%d records of %d players, of which %d stopped early", len(all), s.came.Load(), s.stopped.Load())
	}
	if s.came.Load() < int64(soakRounds*sessions) {
		s.t.Errorf("%d players came, want at least %d", s.came.Load(), soakRounds*sessions)
	}
}
