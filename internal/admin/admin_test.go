package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"mediagate/internal/sessionlog"
)

// stage is a gateway with three sessions and two nodes.
type stage struct {
	killed, orders []string
	lacks          error
}

func (*stage) Sessions(context.Context) []*sessionlog.Record {
	var all []*sessionlog.Record
	for i, protocol := range []string{"rtsp", "mms", "rtsp"} {
		all = append(all, &sessionlog.Record{ID: fmt.Sprint("s", i), Protocol: protocol, Node: fmt.Sprint("n", i%2), Interim: true,
			URL: fmt.Sprintf("%s://gw/%d.wmv", protocol, i), Client: netip.MustParseAddrPort(fmt.Sprintf("198.51.100.%d:7", i))})
	}
	return all
}

func (s *stage) Session(ctx context.Context, id string) *sessionlog.Record {
	for _, r := range s.Sessions(ctx) {
		if r.ID == id {
			return r
		}
	}
	return nil
}

func (s *stage) Kill(id, by string) bool {
	s.killed = append(s.killed, id+" "+by)
	return id == "s0"
}

func (*stage) Nodes() []Node {
	return []Node{{Pool: "p", Name: "n0", Services: map[string]Service{"rtsp": {Health: "down", Reason: "refused"}}}}
}

func (s *stage) Pinholes() []Pinhole {
	return []Pinhole{{Local: "192.0.2.1:20000", State: "open", Session: "s1"}, {Local: "192.0.2.1:20002", State: "open", Session: "s2"},
		{Local: "203.0.113.1:5004", State: "shared"}}
}

func (s *stage) Viewers() []Viewer { return []Viewer{{ID: "v1", Sessions: 1}, {ID: "v2"}} }

func (s *stage) Configuration() ([]byte, error) { return []byte("log: {level: info}\n"), s.lacks }

func (s *stage) Relay() Relay { return Relay{Engine: "fast", Loops: []Loop{{Busy: .5, Packets: 7}}} }

func (s *stage) Drain(pool, node string, on bool) error {
	s.orders = append(s.orders, fmt.Sprint(pool, node, on))
	if node != "n0" {
		return fmt.Errorf("node %q: %w", node, ErrUnknown)
	}
	return nil
}

func (s *stage) Ready() error { return s.lacks }

func (*stage) Trace(id string, _ bool) error {
	return map[string]error{"s0": nil, "s1": ErrNowhere}[id]
}

func (*stage) TraceText(id string) ([]byte, error) {
	if id != "s0" {
		return nil, ErrUnknown
	}
	return []byte("OPTIONS"), nil
}

func (*stage) Capture(_ context.Context, id string, o CaptureOptions, w io.Writer) error {
	if id != "s0" {
		return ErrFull
	}
	_, err := fmt.Fprintf(w, "%d packets, %d bytes, %v, %d", o.Packets, o.Bytes, o.Duration, o.Snaplen)
	return err
}

func newTest(t *testing.T, g Gateway, token string) http.Handler {
	t.Helper()
	return New(Config{Gateway: g, Version: "v1", Token: token, Metrics: http.NotFoundHandler(), Level: zap.NewAtomicLevel(), Logger: zap.NewNop()}).http.Handler
}

func ask(h http.Handler, request string, fields ...string) (status int, body string) {
	method, path, _ := strings.Cut(request, " ")
	r := httptest.NewRequest(method, path, nil)
	r.Host = "127.0.0.1:9554"
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Set(name, value)
		if name == "Host" {
			r.Host = value
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(w.Body.String())
}

func TestRoutes(t *testing.T) {
	for request, want := range map[string]struct {
		status int
		body   string // part of it
	}{
		"GET /healthz":                               {200, `"ok"`},
		"GET /readyz":                                {200, `"ready"`},
		"GET /api/v1/version":                        {200, `{"version":"v1"}`},
		"GET /api/v1/sessions":                       {200, `{"total":3,"sessions":[{"v":`},
		"GET /api/v1/sessions?protocol=mms":          {200, `{"total":1,"sessions":[{"v":`},
		"GET /api/v1/sessions?client=198.51.100.2":   {200, `"id":"s2"`},
		"GET /api/v1/sessions?client=203.0.113.0/24": {200, `{"total":0,"sessions":[]}`},
		"GET /api/v1/sessions?client=x":              {400, `neither an address nor a network`},
		"GET /api/v1/sessions?node=n1&url=1.wmv":     {200, `"id":"s1"`},
		"GET /api/v1/sessions?offset=2&limit=5":      {200, `"id":"s2"`},
		"GET /api/v1/sessions?limit=-1":              {400, `limit \"-1\" is no number`},
		"GET /api/v1/sessions/s1":                    {200, `"interim":true`},
		"GET /api/v1/sessions/s9":                    {404, `none of this name`},
		"DELETE /api/v1/sessions/s0":                 {204, ``},
		"DELETE /api/v1/sessions/s9":                 {404, `none of this name`},
		"GET /api/v1/pinholes":                       {200, `{"total":3,"pinholes":[{"local":"192.0.2.1:20000"`},
		"GET /api/v1/pinholes?session=s2":            {200, `{"total":1,"pinholes":[{"local":"192.0.2.1:20002"`},
		"GET /api/v1/pinholes?local=203.&limit=0":    {200, `{"total":1,"pinholes":[]}`},
		"GET /api/v1/pinholes?offset=x":              {400, `no number`},
		"GET /api/v1/viewers":                        {200, `{"total":2,"viewers":[{"id":"v1","sessions":1`},
		"GET /api/v1/viewers?offset=1":               {200, `{"total":2,"viewers":[{"id":"v2"`},
		"GET /api/v1/viewers?offset=9":               {200, `{"total":2,"viewers":[]}`},
		"GET /api/v1/viewers?limit=x":                {400, `no number`},
		"GET /api/v1/configuration":                  {200, `log: {level: info}`},
		"GET /api/v1/relay":                          {200, `"loops":[{"busy":0.5,"packets":7`},
		"GET /api/v1/log-level":                      {200, `{"level":"info"}`},
		"PUT /api/v1/log-level?level=debug":          {204, ``},
		"PUT /api/v1/log-level?level=loud":           {400, `debug, info, warn and error`},
		"GET /api/v1/sessions/s0/trace":              {200, `OPTIONS`},
		"GET /api/v1/sessions/s9/trace":              {404, `none of this name`},
		"PUT /api/v1/sessions/s0/trace":              {204, ``},
		"PUT /api/v1/sessions/s1/trace":              {409, `no place`},
		"DELETE /api/v1/sessions/s0/trace":           {204, ``},
		"GET /api/v1/sessions/s0/capture?packets=5&bytes=6&duration=7s&snaplen=96": {200, `5 packets, 6 bytes, 7s, 96`},
		"GET /api/v1/sessions/s1/capture":                                          {503, `as many run as may`},
		"GET /api/v1/sessions/s0/capture?snaplen=70000":                            {400, `no number, or too large`},
		"GET /api/v1/sessions/s0/capture?duration=-1s":                             {400, `is no time`},
		"GET /api/v1/nodes":                     {200, `"reason":"refused"`},
		"PUT /api/v1/pools/p/nodes/n0/drain":    {204, ``},
		"DELETE /api/v1/pools/p/nodes/n0/drain": {204, ``},
		"PUT /api/v1/pools/p/nodes/none/drain":  {404, `node \"none\"`},
		"GET /api/openapi.yaml":                 {200, `openapi: 3`},
		"GET /debug/pprof/cmdline":              {200, ``},
		"GET /nothing":                          {404, `there is no such page`},
		"POST /api/v1/sessions":                 {404, `there is no such page`},
	} {
		t.Run(request, func(t *testing.T) {
			if status, body := ask(newTest(t, &stage{}, ""), request); status != want.status || !strings.Contains(body, want.body) {
				t.Errorf("%d %s", status, body)
			}
		})
	}
}

func TestGuard(t *testing.T) {
	const look = "GET /api/v1/version"
	for name, tc := range map[string]struct {
		token, request, field string
		want                  int
	}{
		"no token":            {"0123456789abcdef", look, "X: y", 401},
		"wrong token":         {"0123456789abcdef", look, "Authorization: Bearer 0123456789abcdeg", 401},
		"other scheme":        {"0123456789abcdef", look, "Authorization: Basic 0123456789abcdef", 401},
		"token":               {"0123456789abcdef", look, "Authorization: bearer 0123456789abcdef", 200},
		"metrics need it too": {"0123456789abcdef", "GET /metrics", "X: y", 401},
		"pprof needs it too":  {"0123456789abcdef", "GET /debug/pprof/heap", "X: y", 401},
		"health does not":     {"0123456789abcdef", "GET /healthz", "X: y", 200},
		"a page's name":       {"", look, "Host: evil.test", 403},
		"localhost":           {"", look, "Host: localhost:9554", 200},
		"IPv6":                {"", look, "Host: [::1]:9554", 200},
		"a page":              {"", "DELETE /api/v1/sessions/s0", "Origin: http://evil.test", 403},
	} {
		t.Run(name, func(t *testing.T) {
			s := &stage{}
			if status, body := ask(newTest(t, s, tc.token), tc.request, tc.field); status != tc.want {
				t.Errorf("%d %s", status, body)
			}
			if len(s.killed) > 0 {
				t.Errorf("killed %v", s.killed)
			}
		})
	}
}

// TestPaper: the paper has every route, and nothing else.
func TestPaper(t *testing.T) {
	var doc struct {
		Paths map[string]map[string]any `yaml:"paths"`
	}
	if err := yaml.Unmarshal(paper, &doc); err != nil {
		t.Fatal(err)
	}
	want, got := map[string]bool{}, map[string]bool{}
	for _, r := range New(Config{Gateway: &stage{}, Logger: zap.NewNop()}).table() {
		want[r.pattern] = true
	}
	for path, methods := range doc.Paths {
		for m := range methods {
			if m != "parameters" {
				got[strings.ToUpper(m)+" "+path] = true
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("routes (-code +paper):\n%s", diff)
	}
}

// TestSocket: a unix socket that a killed program left is replaced, one that is served is not.
func TestSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	l, err := Listen("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listen("unix:" + path); err == nil || !strings.Contains(err.Error(), "another program serves there") {
		t.Errorf("a second time: %v", err)
	}
	s := New(Config{Gateway: &stage{lacks: ErrFull}, Logger: zap.NewNop()})
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DialContext: dialUnix(path)}}
	resp, err := client.Get("http://localhost/readyz")
	if err != nil {
		t.Fatal(err)
	}
	var said struct{ Error string }
	if err := json.NewDecoder(resp.Body).Decode(&said); err != nil || resp.StatusCode != 503 || said.Error != ErrFull.Error() {
		t.Errorf("%d %q %v", resp.StatusCode, said.Error, err)
	}
	_ = resp.Body.Close()
	client.CloseIdleConnections()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Errorf("serve: %v", err)
	}
}

func dialUnix(path string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
}
