package e2e

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mediagate/internal/lab"
	"mediagate/internal/origin"
)

// TestCaptureHTTP: ffmpeg plays Windows Media over HTTP; tshark puts both
// connections together, and reads the same requests on both sides.
func TestCaptureHTTP(t *testing.T) {
	lab.Need(t, "ffmpeg", "tshark")
	kind := lab.FFmpegMMSH()
	sample := lab.SampleASF(t)
	_, at := webOrigin(t, "wms", origin.Config{Speed: 4}, sample, fileOf(kind))
	gw, dir := capturing(t, lab.Settings{Protocol: "http"}, node(at.Name, netip.AddrPortFrom(at.Addr, lab.UsualPort("http"))))
	p := lab.PlayMMS(t, kind, mmsURL(gw.settings.Listen.Addr(), fileOf(kind)), nil)
	playsWhole(t, p, sample)
	r := lab.WaitRecord(t, gw.settings.Records, recordLimit, func(r lab.Record) bool { return r.FirstMedia != nil })
	lab.Eventually(recordLimit, func() bool { return gw.Sessions() == 0 })
	file := fileOfSession(t, dir, r.ID, ".pcapng")
	sound(t, file)
	var asked [2][]string
	for iface, name := range []string{"client", "origin"} {
		asked[iface] = dissected(t, file, nil, "http.request && frame.interface_name == "+name, "http.request.line")
		if len(asked[iface]) == 0 {
			t.Errorf("tshark reads no request on interface %s", name)
		}
	}
	if len(asked[0]) != len(asked[1]) || uint64(len(asked[0])) != r.Requests {
		t.Errorf("%d requests of the player, %d of the gateway, the record has %d", len(asked[0]), len(asked[1]), r.Requests)
	}
	text, err := os.ReadFile(fileOfSession(t, dir, r.ID, ".trace"))
	if err != nil || !strings.Contains(string(text), "+ | Via: ") || strings.Count(string(text), "message, ") < 4 {
		t.Errorf("the trace is (error %v)\n%s", err, text)
	}
}

// TestFlightRecorder: a session whose origin dies leaves what it kept, and one
// that ends properly does not.
func TestFlightRecorder(t *testing.T) {
	kind := lab.VLC("mmsu")
	dir := mediaFolder(t, lab.SampleASF(t), fileOf(kind))
	from := lab.StartEmbeddedOrigin(t, lab.Loopback(t), nil, "--dir", dir)
	gw, kept := capturing(t, lab.Settings{Protocol: "mms"}, node("doomed", netip.AddrPortFrom(from.Addr, mmsPort)))
	p := lab.PlayMMS(t, kind, mmsURL(gw.settings.Listen.Addr(), fileOf(kind)), nil)
	if !lab.Eventually(playLimit, func() bool { return len(p.Written()) > 20<<10 }) {
		t.Fatalf("it does not begin\n%s", p.Output())
	}
	from.Kill()
	p.WaitExit(playLimit)
	r := lab.WaitRecord(t, gw.settings.Records, recordLimit, asked(fileOf(kind)))
	file := fileOfSession(t, kept, r.ID, ".flight")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 256<<10 { // 64 KiB kept, written out
		t.Errorf("%d bytes", len(text))
	}
	for _, part := range []string{"end: " + r.End, "node: doomed", "client in ", "origin in port 5004: begins ", "difference:"} {
		if !strings.Contains(string(text), part) {
			t.Errorf("%s lacks %q", filepath.Base(file), part)
		}
	}
	decoded(t, file)
}
