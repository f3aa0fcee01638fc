package lab

import (
	"bytes"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"mediagate/internal/asf"
)

// TestDiffASF: the comparison sees one bit anywhere, and packets that are
// missing, too many, or in another order.
func TestDiffASF(t *testing.T) {
	file := SampleASF(t)
	parsed, err := asf.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	// As players write it: without the index behind the packets.
	header, size := len(parsed.Header), parsed.PacketSize
	dump := slices.Clone(file[:header+len(parsed.Packets)*size])
	if diff := DiffASF(dump, file, 0); diff != "" {
		t.Fatalf("the file itself: %s", diff)
	}
	flip := func(at int) []byte { b := slices.Clone(dump); b[at] ^= 1; return b }
	swapped := slices.Concat(dump[:header], dump[header+size:header+2*size], dump[header:header+size], dump[header+2*size:])
	for name, got := range map[string][]byte{
		"header":   flip(40),
		"packet":   flip(header + 3*size + 700),
		"last":     flip(len(dump) - 1),
		"missing":  slices.Delete(slices.Clone(dump), header, header+size),
		"cut":      dump[:len(dump)-1],
		"too many": slices.Concat(dump, dump[header:header+size]),
		"order":    swapped,
		"nothing":  nil,
	} {
		if DiffASF(got, file, 0) == "" {
			t.Errorf("%s: no difference seen", name)
		}
	}
	if diff := DiffASF(slices.Concat(dump[:header], dump[header+100*size:]), file, 100); diff != "" {
		t.Errorf("from packet 100 on: %s", diff)
	}
}

// TestDiffFrames: FFmpeg's lines are compared stream by stream.
func TestDiffFrames(t *testing.T) {
	want := Frames(t, SampleASF(t))
	if diff := DiffFrames(want, want); diff != "" || len(frames(want)) != 2 {
		t.Errorf("the file itself: %q, %d streams", diff, len(frames(want)))
	}
	lines := bytes.SplitAfter(want, []byte{'\n'})
	if DiffFrames(bytes.Join(lines[:len(lines)-3], nil), want) == "" {
		t.Error("missing frames: no difference seen")
	}
}

// TestMMSRunners proves the runners without an origin: every player comes to
// MMS's own port, is turned away, writes nothing and ends.
func TestMMSRunners(t *testing.T) {
	addr := Loopback(t)
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(addr, 1755)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	var came atomic.Int32
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // closed
			}
			came.Add(1)
			_ = c.Close()
		}
	}()
	for _, kind := range MMSPlayers() {
		t.Run(kind.Name, func(t *testing.T) {
			before := came.Load()
			p := PlayMMS(t, kind, "mms://"+addr.String()+"/sample.wmv", nil)
			p.WaitExit(30 * time.Second)
			if n := len(p.Written()); came.Load() == before || n > 0 && !kind.Frames {
				t.Errorf("%d connections, %d bytes were written\n%s", came.Load()-before, n, p.Output())
			}
		})
	}
}
