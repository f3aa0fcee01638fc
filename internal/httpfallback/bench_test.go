package httpfallback

import (
	"io"
	"net"
	"net/http"
	"testing"

	"mediagate/balancer"
)

// BenchmarkResponse measures the way of a framed response from an origin's socket to a player's, ASF packets of 1400
// bytes, taps included. Compare with BenchmarkTap for what counting costs.
func BenchmarkResponse(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.131:0")
	if err != nil {
		b.Fatal(err)
	}
	piece := make([]byte, 0, 64<<10)
	for len(piece) < 60<<10 {
		piece = append(piece, packet('D', 1400)...)
	}
	origin := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-mms-framed")
		for {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	})}
	go origin.Serve(l)
	defer origin.Close()
	at := addrOf(l.Addr().(*net.TCPAddr).AddrPort())
	pool, err := balancer.New(balancer.Config{Name: "p", Nodes: []balancer.Node{{Name: "a", Addr: at.Addr(), Ports: map[string]uint16{Service: at.Port()}}}})
	if err != nil {
		b.Fatal(err)
	}
	p, err := New(Config{Pool: pool})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	front, err := net.Listen("tcp", "127.0.0.130:0")
	if err != nil {
		b.Fatal(err)
	}
	go p.Serve(front)
	conn, err := net.Dial("tcp", front.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, requestOf("GET", "/a", "Pragma: xPlayStrm=1"))
	b.SetBytes(1404)
	b.ReportAllocs()
	b.ResetTimer()
	if _, err := io.CopyN(io.Discard, conn, int64(b.N)*1404); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkTap(b *testing.B) {
	p := packet('D', 1400)
	var t tap
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		t.feed(p, t.first)
	}
}
