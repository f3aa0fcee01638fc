package capture

import (
	"strings"
	"testing"
)

// TestHTTP: what a connection reads before it is known whose it is goes to its session, in captures and traces.
func TestHTTP(t *testing.T) {
	dir := t.TempDir()
	b := newBook(t, Config{Dir: dir, Rules: []Rule{{Name: "r", Trace: true, Packets: true, URL: "*a.wmv"}}})
	c, o := b.Connect(Client, ours, player), b.Connect(Origin, ourSide, node)
	const head = "GET /a.wmv HTTP/1.1\r\nCookie: s3cret\r\n\r\n"
	c.ReadHTTP([]byte(head[:1]))
	c.ReadHTTP([]byte(head[1:]))
	s := b.Begin(About{ID: "h-1", Protocol: "http", Client: player, Local: ours})
	s.Learn(Facts{URL: "http://h/a.wmv"})
	c.Move(s)
	o.Move(s)
	o.WroteHTTP([]byte("GET /a.wmv HTTP/1.1\r\nVia: g\r\n\r\n"))
	o.ReadHTTP([]byte("HTTP/1.1 200 OK\r\n\r\n$H media"))
	c.WroteHTTP([]byte("HTTP/1.1 200 OK\r\nVia: g\r\n\r\n$H media"))
	c.WroteHTTP([]byte("more media"))
	s.End("-T", "")
	_ = b.Close()
	all := files(t, dir)
	if len(all) != 2 {
		t.Fatalf("%d files", len(all))
	}
	for name, text := range all {
		if strings.HasSuffix(name, traceSuffix) {
			wantParts(t, text, "| GET /a.wmv HTTP/1.1\n| Cookie: ***\n| \n", "| GET /a.wmv", "- | Cookie: ***\n+ | Via: g", "| HTTP/1.1 200 OK", "+ | Via: g")
			if strings.Contains(text, "$H") || strings.Contains(text, "s3cret") {
				t.Errorf("the trace has more than heads:\n%s", text)
			}
			continue
		}
		packets := read(t, text)
		if got := joined(t, packets, 0, 40000); got != head {
			t.Errorf("the player said %q", got)
		}
		if got := joined(t, packets, 0, 554); !strings.HasSuffix(got, "$H mediamore media") {
			t.Errorf("the player heard %q", got)
		}
	}
}
