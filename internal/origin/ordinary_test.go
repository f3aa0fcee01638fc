package origin

import (
	"net/netip"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/pion/rtp"
)

func TestReadClip(t *testing.T) {
	c, err := readClip()
	if err != nil {
		t.Fatal(err)
	}
	if len(c.video) != 250 || len(c.audio) != 432 || c.h264.SPS == nil || c.h264.PPS == nil || c.aac.Config.SampleRate != 44100 {
		t.Errorf("%d and %d units, %+v, %+v", len(c.video), len(c.audio), c.h264, c.aac.Config)
	}
}

func serveOrdinary(t *testing.T, cfg OrdinaryConfig) *Ordinary {
	t.Helper()
	o, err := NewOrdinary(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := o.Start(); err != nil {
		t.Fatal(err)
	}
	return o
}

// reader reads a path until n packets of each media have come.
func reader(t *testing.T, address string, transport gortsplib.Transport, n int) {
	t.Helper()
	u, err := base.ParseURL(address)
	if err != nil {
		t.Fatal(err)
	}
	c := gortsplib.Client{Scheme: u.Scheme, Host: u.Host, Transport: &transport}
	if err := c.Start2(); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	d, _, err := c.Describe(u)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetupAll(d.BaseURL, d.Medias); err != nil {
		t.Fatal(err)
	}
	got := make(chan *description.Media, 4096)
	c.OnPacketRTPAny(func(m *description.Media, _ format.Format, _ *rtp.Packet) {
		select {
		case got <- m:
		default:
		}
	})
	if _, err := c.Play(nil); err != nil {
		t.Fatal(err)
	}
	count := map[*description.Media]int{}
	timeout := time.After(10 * time.Second)
	for done := 0; done < len(d.Medias); {
		select {
		case m := <-got:
			if count[m]++; count[m] == n {
				done++
			}
		case <-timeout:
			t.Fatalf("packets %v", count)
		}
	}
}

func TestOrdinary(t *testing.T) {
	o := serveOrdinary(t, OrdinaryConfig{Listen: netip.MustParseAddrPort("127.0.0.27:0"), UDPPorts: 5006, Publish: true})
	for name, tr := range map[string]gortsplib.Transport{"udp": gortsplib.TransportUDP, "tcp": gortsplib.TransportTCP} {
		t.Run(name, func(t *testing.T) {
			reader(t, o.URL("/sample"), tr, 10)
			publishAndRead(t, o, tr)
		})
	}
	for deadline := time.Now().Add(10 * time.Second); o.Snapshot().Sessions != 0; {
		if time.Now().After(deadline) {
			t.Fatalf("%d sessions stay", o.Snapshot().Sessions)
		}
		<-time.After(20 * time.Millisecond)
	}
	if len(o.Snapshot().Requests) == 0 {
		t.Error("no request was recorded")
	}
}

// publishAndRead publishes a stream and reads it, and sees that it is gone afterwards.
func publishAndRead(t *testing.T, o *Ordinary, tr gortsplib.Transport) {
	t.Helper()
	f := &format.H264{PayloadTyp: 96, PacketizationMode: 1}
	d := &description.Session{Medias: []*description.Media{{Type: description.MediaTypeVideo, Formats: []format.Format{f}}}}
	c := gortsplib.Client{Transport: &tr}
	if err := c.StartRecording(o.URL("/live/"+tr.String()), d); err != nil {
		t.Fatal(err)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for n := uint16(0); ; n++ {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			_ = c.WritePacketRTP(d.Medias[0], &rtp.Packet{
				Header:  rtp.Header{Version: 2, PayloadType: 96, SequenceNumber: n, SSRC: 7},
				Payload: []byte{1, 2, 3},
			})
		}
	}()
	reader(t, o.URL("/live/"+tr.String()), tr, 10)
	close(stop)
	<-stopped
	c.Close()
}

func TestOrdinaryRefuses(t *testing.T) {
	o := serveOrdinary(t, OrdinaryConfig{Listen: netip.MustParseAddrPort("127.0.0.27:0"), Users: map[string]string{"alice": "secret"}})
	for _, c := range []struct {
		name, user, path string
		ok               bool
	}{
		{"credentials", "alice:secret@", "/sample", true},
		{"none", "", "/sample", false},
		{"wrong", "alice:other@", "/sample", false},
		{"nothing there", "alice:secret@", "/other", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			u, err := base.ParseURL("rtsp://" + c.user + o.Addr().String() + c.path)
			if err != nil {
				t.Fatal(err)
			}
			tcp := gortsplib.TransportTCP
			k := gortsplib.Client{Scheme: u.Scheme, Host: u.Host, Transport: &tcp}
			if err := k.Start2(); err != nil {
				t.Fatal(err)
			}
			defer k.Close()
			if _, _, err := k.Describe(u); (err == nil) != c.ok {
				t.Errorf("error %v", err)
			}
		})
	}
	u := "rtsp://alice:secret@" + o.Addr().String() + "/live"
	tcp := gortsplib.TransportTCP
	k := gortsplib.Client{Transport: &tcp}
	d := &description.Session{Medias: []*description.Media{{Type: description.MediaTypeVideo, Formats: []format.Format{&format.H264{PayloadTyp: 96}}}}}
	if err := k.StartRecording(u, d); err == nil {
		k.Close()
		t.Error("took a publisher that it was not to take")
	}
}
