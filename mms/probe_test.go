package mms

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"mediagate/balancer"
	"mediagate/mms/mmswire"
)

// probed is a node that answers the n-th message of a probe with the lines of answers[n], and notes what it was asked. After
// the last it is silent until the probe has gone; "closes" closes.
func probed(t *testing.T, answers ...string) (balancer.Node, func() []string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.100:0")
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan []string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			asked <- nil
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		var got []string
		defer func() { asked <- got }()
		read := mmswire.NewReader(conn, mmswire.Limits{})
		for n := 0; ; n++ {
			item, err := read.Read()
			if err != nil {
				return
			}
			got = append(got, lineOf(item))
			if n >= len(answers) {
				continue
			}
			for _, text := range strings.Split(answers[n], "\n") {
				if text == "closes" {
					return
				}
				m, b, err := parseLine(text)
				if err != nil {
					got = append(got, err.Error())
					return
				}
				if m != nil {
					b = mmswire.AppendPacket(nil, uint16(n), 0, *m)
				}
				_, _ = conn.Write(b)
			}
		}
	}()
	at := netip.MustParseAddrPort(l.Addr().String())
	return balancer.Node{Name: "wms1", Addr: at.Addr(), Ports: map[string]uint16{Service: at.Port()}}, func() []string {
		l.Close()
		return <-asked
	}
}

func TestProbe(t *testing.T) {
	const connected, funnel, opened = "ReportConnectedEX", "ReportConnectedFunnel", "ReportOpenFile openFileID=3"
	for _, tc := range []struct {
		name    string
		path    string
		answers []string
		want    string // in the error, "" for none
		last    string // what the node was asked last
	}{
		{"well", "", []string{connected}, "", "Connect"},
		{"asks whether the probe is there", "", []string{"Ping\n" + connected}, "", "Connect"},
		{"full", "", []string{"ReportConnectedEX hr=0xc00d000f"}, "result 0xC00D000F", "Connect"},
		{"another answer", "", []string{"ReportConnectedEX body=0x00000000"}, "mmswire: read LinkMacToViewerReportConnectedEX", "Connect"},
		{"closes", "", []string{"closes"}, "EOF", "Connect"},
		{"speaks HTTP", "", []string{`bytes "HTTP/1.0 400 Bad Request\r\n\r\n"` + "\ncloses"}, "unexpected EOF", "Connect"},
		{"silent", "", nil, "i/o timeout", "Connect"},
		{"serves the file", "/a b.wmv", []string{connected, funnel, opened, "ReportReadBlock\nData playIncarnation=2 afFlags=4 payload=\"a\"\nData playIncarnation=2 afFlags=12 payload=\"b\""},
			"", "CloseFile playIncarnation=0 openFileID=3"},
		{"refuses TCP", "/a.wmv", []string{connected, "ReportDisconnectedFunnel hr=0x80070005"}, "LinkMacToViewerReportDisconnectedFunnel to LinkViewerToMacConnectFunnel", "ConnectFunnel"},
		{"has no such file", "/a.wmv", []string{connected, funnel, "ReportOpenFile hr=0xc00d001a"}, "result 0xC00D001A", `OpenFile fileName="a.wmv"`},
		{"wants a password", "/a.wmv", []string{connected, funnel, "SecurityChallenge"}, "LinkMacToViewerSecurityChallenge", `OpenFile fileName="a.wmv"`},
		{"cannot read the file", "/a.wmv", []string{connected, funnel, opened, "ReportReadBlock\ncloses"}, "EOF", "ReadBlock openFileID=3"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			node, asked := probed(t, tc.answers...)
			timeout := 10 * time.Second
			if tc.answers == nil {
				timeout = 5 * time.Second // the question has to be asked in it
			}
			err := NewProbe(timeout, tc.path)(t.Context(), node)
			if got := asked(); len(got) == 0 || !strings.HasPrefix(got[len(got)-1], tc.last) {
				t.Errorf("the node was asked %q, last %q is wanted", got, tc.last)
			}
			switch {
			case tc.want == "" && err != nil, tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("got %v, want %q", err, tc.want)
			case err != nil && !strings.HasPrefix(err.Error(), `mms: probe node "wms1": `):
				t.Errorf("the error does not say whose: %v", err)
			}
		})
	}
}

// TestProbeIsCancelled: a monitor that ends does not wait for a node.
func TestProbeIsCancelled(t *testing.T) {
	node, asked := probed(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- NewProbe(time.Hour, "")(ctx, node) }()
	time.AfterFunc(50*time.Millisecond, cancel)
	select {
	case err := <-done:
		if err == nil {
			t.Error("a cancelled probe says that the node is well")
		}
	case <-time.After(20 * time.Second):
		t.Error("the probe goes on")
	}
	asked()
}

// TestProbeOfNobody: a node that refuses the connection.
func TestProbeOfNobody(t *testing.T) {
	node, asked := probed(t)
	asked() // it listens no more
	var refused *net.OpError
	if err := NewProbe(time.Second, "")(t.Context(), node); !errors.As(err, &refused) {
		t.Errorf("got %v", err)
	}
}
