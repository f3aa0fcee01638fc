package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"mediagate/internal/lab"
	"mediagate/internal/origin"
)

const (
	seekPlayers = 200
	seeksEach   = 10
)

// TestHTTPSeeks: 200 players seek ten times each, on a new connection each
// time, with two nodes behind. Half of them are as Windows Media Player: one
// address, a GUID each, the client-id that the origin gave them, and a log at
// the end. The others are as Linux players: one GUID for all, no client-id, an
// address each. No origin sees a client-id that it did not give, and none a
// player that began at the other.
func TestHTTPSeeks(t *testing.T) {
	lab.NeedRoot(t)
	sample := lab.SampleASF(t)
	first, one := webOrigin(t, "one", origin.Config{Speed: 64}, sample, "sample.wmv")
	second, two := webOrigin(t, "two", origin.Config{Speed: 64}, sample, "sample.wmv")
	gw := webProgram(t, lab.Services{Policy: "round-robin"}, one, two)
	places := make(chan struct{}, 40) // of players that play at the same time
	var wg sync.WaitGroup
	for i := range seekPlayers {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			if err := newSeeker(i, gw.Addr.Addr()).play(); err != nil {
				t.Errorf("player %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	met := make(map[string][2]int) // by player: requests at either node
	for i, log := range []origin.Log{first.Snapshot(), second.Snapshot()} {
		if log.ForeignClientIDs != 0 {
			t.Errorf("node %d saw %d client-ids that it did not give", i, log.ForeignClientIDs)
		}
		for _, r := range log.HTTP {
			if _, player, ok := strings.Cut(r.URL, "?player="); ok {
				n := met[player]
				n[i]++
				met[player] = n
			}
		}
	}
	var total [2]int
	for player, n := range met {
		if n[0] != 0 && n[1] != 0 || n[0]+n[1] < 1+seeksEach {
			t.Errorf("player %s: %d requests at one node, %d at the other", player, n[0], n[1])
		}
		total[0], total[1] = total[0]+n[0], total[1]+n[1]
	}
	if len(met) != seekPlayers || min(total[0], total[1]) < seekPlayers*seeksEach/4 {
		t.Errorf("%d players, requests %v", len(met), total)
	}
}

// seeker is a player of Windows Media over HTTP that asks and does not decode.
type seeker struct {
	number int
	url    string
	guid   string
	id     string // client-id; "": it gives none
	knows  bool   // it gives the client-id that it was given
	client http.Client
}

func newSeeker(number int, gateway netip.Addr) *seeker {
	s := &seeker{number: number, knows: number%2 == 0, guid: "{c77e7400-738a-11d2-9add-0020af0a3278}"}
	from := net.IPv4(127, 0, 160, byte(number/2+1))
	if s.knows {
		s.guid, from = fmt.Sprintf("{3c9a4f30-1111-4222-8333-%012x}", number), net.IPv4(127, 0, 161, 1)
	}
	s.url = fmt.Sprintf("http://%s/sample.wmv?player=%d", gateway, number)
	dial := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}, Timeout: 30 * time.Second}
	s.client.Transport = &http.Transport{DialContext: dial.DialContext, DisableKeepAlives: true}
	return s
}

// play describes, seeks, and leaves.
func (s *seeker) play() error {
	if err := s.ask("xPlayStrm=0", 0); err != nil {
		return fmt.Errorf("describe: %w", err)
	}
	for i := range seeksEach {
		what := fmt.Sprintf("xPlayStrm=1,stream-time=%d,stream-switch-count=2,stream-switch-entry=ffff:1:0 ffff:2:0", i*500)
		if err := s.ask(what, 4096); err != nil {
			return fmt.Errorf("seek %d: %w", i, err)
		}
	}
	if !s.knows {
		return nil
	}
	return s.do(http.MethodPost, "", "<XML><Summary>0.0.0.0</Summary></XML>", func(res *http.Response) error { return nil })
}

var givenID = regexp.MustCompile(`client-id=(\d+)`)

// ask sends a request and reads so many bytes of the answer, or all.
func (s *seeker) ask(pragma string, bytes int64) error {
	return s.do(http.MethodGet, pragma, "", func(res *http.Response) error {
		if m := givenID.FindStringSubmatch(strings.Join(res.Header.Values("Pragma"), ",")); m != nil && s.knows {
			s.id = m[1]
		}
		if bytes == 0 {
			_, err := io.Copy(io.Discard, res.Body)
			return err
		}
		_, err := io.CopyN(io.Discard, res.Body, bytes)
		return err
	})
}

func (s *seeker) do(method, pragma, body string, read func(*http.Response) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.url, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "NSPlayer/9.0.0.2980")
	req.Header["Pragma"] = []string{"xClientGUID=" + s.guid}
	if pragma != "" {
		req.Header.Add("Pragma", pragma)
	}
	if s.id != "" {
		req.Header.Add("Pragma", "client-id="+s.id)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/x-wms-LogStats")
	}
	res, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close() // the connection goes with it
	if res.StatusCode >= 300 {
		return fmt.Errorf("status %s", res.Status)
	}
	return read(res)
}
